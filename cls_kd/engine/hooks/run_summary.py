"""The log begins with a summary of the run."""

from __future__ import annotations

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.engine.hooks.teacher import unwrapped
from cls_kd.engine.terminal import announce, open_terminal
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Logs networks, data, losses, schedule, device and folder before training.

    The terminal shows this summary, the teachers' metrics and warnings; the log file has the
    environment, the config and the hooks as well. From the first epoch on, or the first validation
    or test without one, the terminal shows every line of the log.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Log the summary."""
        # Here, because it needs the runner, which needs the hooks.
        from cls_kd.engine.run_summary import run_summary

        if is_main_process():
            announce(runner.logger, run_summary(runner, unwrapped(runner)))

    def before_train_epoch(self, runner: Runner) -> None:
        """Show every line from now on."""
        open_terminal(runner.logger)

    def before_val_epoch(self, runner: Runner) -> None:
        """Show every line from now on."""
        open_terminal(runner.logger)

    def before_test_epoch(self, runner: Runner) -> None:
        """Show every line from now on."""
        open_terminal(runner.logger)
