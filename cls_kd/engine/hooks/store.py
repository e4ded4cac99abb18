"""Stored teacher outputs during training: opened before it, reported and flushed by epoch."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.data.replay import SeededSamples
from cls_kd.engine.hooks.teacher import unwrapped
from cls_kd.engine.teacher_stores import stored_teachers, validation_parts
from cls_kd.engine.terminal import announce
from cls_kd.registry import HOOKS
from cls_kd.teacher_store import StoredMetrics, size_text


@HOOKS.register_module()
class StoreHook(Hook):
    """Opens the stores of a run's teachers, and says how much of them was there."""

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Open the stores; the size is logged."""
        for teacher in stored_teachers(unwrapped(runner)):
            if teacher.rows is not None:  # by another run of the cohort
                continue
            folder = teacher.open(partial(announce, runner.logger))
            if runner.val_loop is not None:
                validation = validation_parts(runner.cfg, runner.val_dataloader.dataset)
                teacher.metrics = StoredMetrics(folder, validation)
            announce(
                runner.logger,
                f"Stored teacher outputs: {teacher.description}, up to "
                f"{size_text(teacher.planned_size)}, in {folder}",
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Let the random draws of samples follow the epoch."""
        dataset: Any = runner.train_dataloader.dataset
        if isinstance(dataset, SeededSamples):
            dataset.begin_epoch(int(runner.seed or 0), runner.epoch)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write to the disk, and log where the rows came from."""
        for teacher in stored_teachers(unwrapped(runner)):
            _report(runner, teacher)

    def after_train(self, runner: Runner) -> None:
        """As after an epoch, for loops that count iterations."""
        self.after_train_epoch(runner)


def _report(runner: Runner, teacher: StoredTeacher) -> None:
    rows = teacher.rows
    if rows is None:
        return
    counts = rows.report()
    total = counts.read + counts.computed
    if not total or not is_main_process():
        return
    text = f"Stored teacher outputs: {counts.read} of {total} rows read"
    if counts.misfits:
        text += f", {counts.misfits} rows that did not fit their images computed again"
    if counts.verified:
        text += f", {counts.verified} verified: " + _agreement(counts.difference)
    if counts.computed and rows.batch_difference is not None:
        text += ". In batches of other images a row is " + (
            "the same, bit for bit"
            if rows.batch_difference == 0
            else f"the same but for rounding ({rows.batch_difference:.1g})"
        )
    runner.logger.info(text)


def _agreement(difference: float) -> str:
    return "equal, bit for bit" if difference == 0 else f"largest difference {difference:.1g}"
