"""The history of a run: losses and validation metrics of every epoch, kept across a resume."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.registry import HOOKS


@HOOKS.register_module()
class HistoryHook(Hook):
    """Keeps ``{'train': [...], 'val': [...]}`` in the message hub, one entry an epoch.

    It travels in the checkpoint, so a resumed run has the whole of it.
    """

    priority = "LOW"

    def before_train(self, runner: Runner) -> None:
        """Begin, or go on."""
        history(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Note the mean of every loss over the epoch."""
        steps = len(runner.train_dataloader)
        scalars = {
            name.removeprefix("train/"): float(buffer.mean(steps))
            for name, buffer in runner.message_hub.log_scalars.items()
            if name.startswith("train/") and "loss" in name
        }
        history(runner)["train"].append({"epoch": runner.epoch + 1, **scalars})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note the validation metrics."""
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        history(runner)["val"].append({"epoch": runner.epoch, **numbers})


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validates the epoch that a resumed run begins with, where that is missing.

    A checkpoint is written before its epoch is validated, and a run may stop in between. Other
    hooks take part in the validation, so all of them prepare for training before.
    """

    priority = "LOWEST"

    def before_train(self, runner: Runner) -> None:
        """Validate, and go back to training mode."""
        epoch = runner.epoch
        if epoch > 0 and _validates(runner, epoch) and not _has(runner, epoch):
            runner.logger.info(f"Validating epoch {epoch}, which was not done before.")
            runner.val_loop.run()
            runner.model.train()


def history(runner: Runner) -> dict[str, list[dict[str, Any]]]:
    """The run's history, begun where there is none."""
    hub = runner.message_hub
    if "history" not in hub.runtime_info:
        hub.update_info("history", {"train": [], "val": []})
    return hub.get_info("history")


def _validates(runner: Runner, epoch: int) -> bool:
    if runner.val_loop is None:
        return False
    loop = runner.train_loop
    return (epoch >= loop.val_begin and epoch % loop.val_interval == 0) or epoch == loop.max_epochs


def _has(runner: Runner, epoch: int) -> bool:
    return any(entry["epoch"] == epoch for entry in history(runner)["val"])
