"""The training loop over epochs, which can go on inside of one."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop

from cls_kd.engine.generator_states import set_generator_states
from cls_kd.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """As MMEngine's; from a checkpoint inside an epoch it goes on with the next batch, exactly.

    The batches before are fetched again and thrown away, so that the sampler and the loader's
    workers are where they were; then the random generators get the states of the checkpoint. With
    another number of processes batches are others: then as many images are left out, and the rest
    of the epoch is not that of an uninterrupted training.

    Attributes:
        batches: Batches of the present epoch that a checkpoint has been trained on already.
    """

    batches = 0
    _states: list[dict[str, Any]] | None = None

    def go_on_inside(self, position: dict[str, Any]) -> None:
        """Set the place inside an epoch.

        Args:
            position: ``meta.position`` of a checkpoint: ``batches``, ``processes``, ``generators``.
        """
        processes = get_world_size()
        if position["processes"] == processes:
            self.batches, self._states = position["batches"], position["generators"]
            return
        self.batches = position["batches"] * position["processes"] // processes

    def count_again(self) -> None:
        """Set the step by the place, after the number of processes has changed."""
        self._iter = self._epoch * len(self.dataloader) + self.batches

    def run_epoch(self) -> None:
        """Iterate over the batches that are left."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        batches = enumerate(self.dataloader)
        for _ in range(self.batches):
            next(batches, None)
        if self._states is not None:
            set_generator_states(self._states)
        self.batches, self._states = 0, None
        for index, batch in batches:
            self.run_iter(index, batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1
