"""A training that is asked to end writes a checkpoint first."""

from __future__ import annotations

import signal
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from cls_kd.engine.hooks.checkpoint import SafeCheckpointHook
from cls_kd.engine.hooks.runtime_info import BufferedRuntimeInfoHook
from cls_kd.engine.preemption import STOP_REQUEST, Agreement
from cls_kd.errors import PreemptedError
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Ends the training after a step when the process has been sent SIGTERM, SIGUSR1 or SIGUSR2.

    A checkpoint is written first, from which the training goes on exactly, also inside an epoch.
    With gradient accumulation that is after the next update of the weights; during a validation, at
    its end. The processes of a distributed training agree on the step.

    Raises:
        PreemptedError: After the checkpoint was written.
    """

    # After all hooks that belong to the step, the schedules' among them.
    priority = "LOWEST"

    def before_run(self, runner: Runner) -> None:
        """Prepare the agreement, in all processes."""
        self._agreement = Agreement()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and end, if that is asked for and the weights have been updated."""
        received = self._agreement.reached(STOP_REQUEST.received or 0)
        if received and _has_updated(runner):
            progress = {"epoch": runner.epoch, "iter": runner.iter + 1, "batches": batch_idx + 1}
            _save_and_end(runner, received, progress)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save and end, between two epochs."""
        received = self._agreement.reached(STOP_REQUEST.received or 0)
        if received:
            _save_and_end(runner, received, {"epoch": runner.epoch, "iter": runner.iter})

    def after_train(self, runner: Runner) -> None:
        """Wait for the last message."""
        self._agreement.finish()


def _has_updated(runner: Runner) -> bool:
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return all(part.should_update() for part in wrappers)


def _save_and_end(runner: Runner, received: int, progress: dict[str, int]) -> None:
    for hook in runner.hooks:
        if isinstance(hook, BufferedRuntimeInfoHook):
            hook.flush(runner)
    checkpoint = next(hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook))
    checkpoint.save_preempted(runner, progress)
    name = signal.Signals(received).name
    raise PreemptedError(
        f"{name} was received: training stopped after step {progress['iter']}, in epoch "
        f"{progress['epoch'] + 1}. --resume goes on from there.",
        received,
    )
