"""Times of training steps, kept in lists until the log reads them."""

from __future__ import annotations

import time
from typing import Any

from mmengine.hooks import IterTimerHook
from mmengine.runner import Runner

from cls_kd.engine.hooks.reading import ReadSteps, extend
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class BufferedTimerHook(IterTimerHook):
    """Replaces MMEngine's, which copies the history of both times in every training step.

    The values of ``time``, ``data_time`` and the remaining time are the same in every step in which
    they are read. Validation and testing are MMEngine's.
    """

    def before_train(self, runner: Runner) -> None:
        """Learn from the other hooks in which steps the times are read."""
        super().before_train(runner)
        self.t = time.time()
        self.steps = ReadSteps(runner)
        self.waits: list[float] = []
        self.times: list[float] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note the time that the data took."""
        self.waits.append(time.time() - self.t)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note the time of the step; write the times out where a line is due."""
        now = time.time()
        self.times.append(now - self.t)
        self.t = now
        if self.steps.reads(runner, batch_idx):
            self.flush(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write out what is left."""
        super().after_train_epoch(runner)
        self.flush(runner)

    def flush(self, runner: Runner) -> None:
        """Append the kept times to the histories, and estimate the remaining one."""
        if not self.times:
            return
        extend(runner, "train/data_time", self.waits, self.steps.kept)
        extend(runner, "train/time", self.times, self.steps.kept)
        self.time_sec_tot += sum(self.times)
        self.waits, self.times = [], []
        mean = self.time_sec_tot / max(runner.iter - self.start_iter + 1, 1)
        runner.message_hub.update_info("eta", mean * (runner.max_iters - runner.iter - 1))
