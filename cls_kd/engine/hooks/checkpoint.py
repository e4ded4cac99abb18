"""The checkpoint hook in an order that survives a kill at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from cls_kd.digests import remove_with_digest
from cls_kd.engine.generator_states import generator_states
from cls_kd.errors import DivergedError
from cls_kd.files import write_atomically
from cls_kd.registry import HOOKS

PREEMPTED = "preempted.pth"
"""Name of the checkpoint that a training writes when it is asked to end."""


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Write the new checkpoint, point to it, and only then remove the one that is too many.

    MMEngine's removes first: a kill in between leaves no checkpoint, or a pointer to a lost one.
    The weights that training ends with are always saved.

    Raises:
        DivergedError: A weight is NaN or infinite, so that nobody could go on from there.
    """

    def after_train(self, runner: Runner) -> None:
        """Save where training stopped between two checkpoints, as early stopping does."""
        done = runner.epoch if self.by_epoch else runner.iter
        last = Path(runner.message_hub.runtime_info.get("last_ckpt") or "").name
        if done > 0 and last != self.filename_tmpl.format(done):
            runner.logger.info("Saving a checkpoint of the weights that training ended with.")
            meta = {"epoch": runner.epoch, "iter": runner.iter}
            self._save_checkpoint_with_step(runner, done, meta)
        super().after_train(runner)

    def save_preempted(self, runner: Runner, progress: dict[str, int]) -> None:
        """Save, and point to, a checkpoint that stays until the next regular one.

        Args:
            runner: After a step, or between two epochs.
            progress: Finished ``epoch`` and ``iter``; inside an epoch also its finished
                ``batches``.
        """
        check_finite(runner)
        meta: dict[str, Any] = {"epoch": progress["epoch"], "iter": progress["iter"]}
        if "batches" in progress:
            meta["position"] = {
                "batches": progress["batches"],
                "processes": get_world_size(),
                "generators": generator_states(),
            }
        path = str(Path(self.out_dir, PREEMPTED))
        runner.message_hub.update_info("last_ckpt", path)
        runner.save_checkpoint(self.out_dir, PREEMPTED, meta=meta, by_epoch=self.by_epoch)
        if is_main_process():
            point_to(runner.work_dir, path)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        check_finite(runner)
        kept = list(getattr(self, "keep_ckpt_ids", []))
        if step not in kept:
            kept.append(step)
        surplus = kept[: -self.max_keep_ckpts] if self.max_keep_ckpts > 0 else []
        kept = kept[len(surplus) :]
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info("keep_ckpt_ids", kept)
            self.keep_ckpt_ids = kept  # type: ignore[assignment]
        name = self.filename_tmpl.format(step)
        self.last_ckpt = str(Path(self.out_dir, name))
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        point_to(runner.work_dir, self.last_ckpt)
        for old in surplus:
            remove_with_digest(Path(self.out_dir, self.filename_tmpl.format(old)))
        remove_with_digest(Path(self.out_dir, PREEMPTED))


def point_to(work_dir: str | Path, checkpoint: str) -> None:
    """Write ``last_checkpoint``, the file that ``--resume`` reads, in one piece."""
    write_atomically(Path(work_dir, "last_checkpoint"), checkpoint)


def check_finite(runner: Runner) -> None:
    """Refuse to save weights that the last step broke; its loss was still a number.

    Raises:
        DivergedError: Names the weight, the epoch and the step.
    """
    for name, weight in runner.model.named_parameters():
        if not torch.isfinite(weight).all():
            raise DivergedError(
                f"The weight {name!r} is no longer finite at step {runner.iter + 1} (epoch "
                f"{runner.epoch + 1}), and no checkpoint was written. Training stopped; the last "
                "checkpoint is from before. A lower learning rate or gradient clipping usually "
                "helps."
            )
