"""Sets the training time that losses, weight schedules and augmentations read."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.engine.hooks.teacher import unwrapped
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class TrainingTimeHook(Hook):
    """Writes the runner's epoch, iteration and seed to ``distiller.time``."""

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Set what stays the same, and where a resumed training goes on."""
        self.time = unwrapped(runner).time
        self.time.seed = int(runner.seed or 0)
        self.time.max_epochs, self.time.max_steps = runner.max_epochs, runner.max_iters
        self.time.epoch, self.time.step = runner.epoch, runner.iter

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch."""
        self.time.epoch = runner.epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the step."""
        self.time.step = runner.iter
