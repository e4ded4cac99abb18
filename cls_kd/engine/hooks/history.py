"""The history of a run: losses and validation metrics of every epoch, kept across a resume."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from cls_kd.engine.compat import stops_training
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class HistoryHook(Hook):
    """Keeps ``{'train': [...], 'val': [...]}`` in the message hub, one entry an epoch.

    Where the training loop counts iterations there is one entry for each validation interval, with
    the key ``iter`` in place of ``epoch``. The history travels in the checkpoint, so a resumed run
    has the whole of it; early stopping goes on from it as well.
    """

    priority = "LOW"

    def before_train(self, runner: Runner) -> None:
        """Begin, or go on."""
        _replay_early_stopping(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Where iterations are counted: note the mean of every loss since the last entry."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop):
            return
        done = runner.iter + 1
        if done % loop.val_interval == 0 or done == loop.max_iters:
            entries = history(runner)["train"]
            since = entries[-1]["iter"] if entries else 0
            entries.append({"iter": done, **_mean_losses(runner, done - since)})

    def after_train_epoch(self, runner: Runner) -> None:
        """Note the mean of every loss over the epoch."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return
        means = _mean_losses(runner, len(runner.train_dataloader))
        history(runner)["train"].append({"epoch": runner.epoch + 1, **means})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note the validation metrics."""
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        unit, done = finished(runner)
        history(runner)["val"].append({unit: done, **numbers})


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validates the epoch (or iteration) that a resumed run begins with, where that is missing.

    A checkpoint is written before its epoch is validated, and a run may stop in between. Other
    hooks take part in the validation, so all of them prepare for training before.
    """

    priority = "LOWEST"

    def before_train(self, runner: Runner) -> None:
        """Validate, and go back to training mode."""
        unit, done = finished(runner)
        if done > 0 and _validates(runner, done) and not _has(runner, unit, done):
            runner.logger.info(f"Validating {unit} {done}, which was not done before.")
            runner.val_loop.run()
            runner.model.train()


def history(runner: Runner) -> dict[str, list[dict[str, Any]]]:
    """The run's history, begun where there is none."""
    hub = runner.message_hub
    if "history" not in hub.runtime_info:
        hub.update_info("history", {"train": [], "val": []})
    return hub.get_info("history")


def finished(runner: Runner) -> tuple[str, int]:
    """``('epoch', 3)`` or ``('iter', 400)``: what the loop counts, and how far it is."""
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return "iter", runner.iter
    return "epoch", runner.epoch


def _mean_losses(runner: Runner, steps: int) -> dict[str, float]:
    return {
        name.removeprefix("train/"): float(buffer.mean(steps))
        for name, buffer in runner.message_hub.log_scalars.items()
        if name.startswith("train/") and "loss" in name
    }


def _replay_early_stopping(runner: Runner) -> None:
    """Show past validations to early stopping, which keeps nothing in checkpoints."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]
    for entry in history(runner)["val"]:
        for hook in hooks:
            if hook.monitor in entry and stops_training(hook, entry[hook.monitor]):
                runner.train_loop.stop_training = True


def _validates(runner: Runner, done: int) -> bool:
    if runner.val_loop is None:
        return False
    loop = runner.train_loop
    last = loop.max_iters if isinstance(loop, IterBasedTrainLoop) else loop.max_epochs
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)


def _has(runner: Runner, unit: str, done: int) -> bool:
    return any(entry[unit] == done for entry in history(runner)["val"])
