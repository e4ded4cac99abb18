"""The teacher is measured before training, and proved unchanged after it."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from cls_kd.core.fast_pass import is_intact
from cls_kd.distillers import Distiller
from cls_kd.engine.evaluate import teacher_metrics
from cls_kd.engine.probe_loop import ProbeValLoop
from cls_kd.engine.terminal import announce
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class TeacherHook(Hook):
    """Logs where networks come from and how good the teachers are; proves them unchanged.

    Args:
        evaluate: Whether to measure the teachers on the validation data before training. Default
            True; a large validation set may make one want to skip it.

    Attributes:
        measure: Validation loop, distiller, index of a teacher and log to its metrics.

    Raises:
        RuntimeError: A teacher has changed during training.
    """

    priority = "NORMAL"

    def __init__(self, evaluate: bool = True) -> None:
        self.evaluate = evaluate
        self.measure = teacher_metrics

    def before_train(self, runner: Runner) -> None:
        """Log the networks, take the teachers' digests, measure them."""
        distiller = unwrapped(runner)
        for note in distiller.notes:
            runner.logger.info(note)
        self.digests = [teacher.digest() for teacher in distiller.teachers]
        metrics = {}
        for index, digest in enumerate(self.digests):
            runner.logger.info(f"Teacher {index}: SHA-256 of its weights {digest}")
            _state_agreement(runner, index)
            if self.evaluate and runner.val_loop is not None:
                say = partial(_say, runner, index)
                if not _is_measurable(runner.val_loop, distiller.teachers[index]):
                    say("not measured, because it has not the student's classes")
                    continue
                metrics[str(index)] = self.measure(runner.val_loop, distiller, index, say)
                figures = metrics[str(index)].items()
                say(", ".join(f"{name} {value:.2f}" for name, value in figures))
        runner.message_hub.update_info("teacher_metrics", metrics)

    def after_train(self, runner: Runner) -> None:
        """Compare the digests."""
        for index, teacher in enumerate(unwrapped(runner).teachers):
            if teacher.train_mode:
                runner.logger.info(f"Teacher {index} ran in training mode; it is not compared.")
                continue
            if teacher.digest() != self.digests[index] or not is_intact(teacher):
                raise RuntimeError(f"Teacher {index} has changed during training.")
            runner.logger.info(f"Teacher {index} is bit for bit as before training.")


def _is_measurable(loop: Any, teacher: Any) -> bool:
    return isinstance(loop, ProbeValLoop) or getattr(teacher, "has_student_classes", True)


def _state_agreement(runner: Runner, index: int) -> None:
    """Log how a teacher's pass was made faster, and how its logits compare with the plain ones."""
    distiller = unwrapped(runner)
    teacher, loop = distiller.teachers[index], runner.val_loop
    fast = getattr(teacher, "fast", None)
    if fast is None or not teacher.is_asked or not fast.describe():
        return
    stored = getattr(teacher, "metrics", None)
    if stored is not None and stored.read() is not None:  # said when its outputs were stored
        return
    if loop is None and fast.is_exact:  # what is known from the build is enough
        return
    loader = runner.train_dataloader if loop is None else loop.dataloader
    inputs = distiller.data_preprocessor(next(iter(loader)), False)["inputs"]
    text = f"Teacher {index} runs with {fast.describe()}: {teacher.compare(inputs)}."
    announce(runner.logger, text)


def _say(runner: Runner, index: int, text: str) -> None:
    announce(runner.logger, f"Teacher {index} on the validation data: {text}")


def unwrapped(runner: Runner) -> Distiller:
    """The distiller, out of DDP's wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
