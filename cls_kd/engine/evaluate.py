"""Evaluation of a network that need not be the student."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sized
from typing import Any, cast

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner.loops import TestLoop, ValLoop
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller

Step = Callable[[Any], list[DataSample]]
"""A batch of data to predictions."""

Say = Callable[[str], None]
"""Where a line of progress goes."""


def evaluate_teacher(
    loop: ValLoop | TestLoop, distiller: Distiller, place: int = 0, say: Say | None = None
) -> dict[str, float]:
    """Metrics of one teacher on a loop's data, with the loop's own evaluator.

    Args:
        loop: The runner's validation or test loop.
        distiller: The distiller that holds the teacher.
        place: Which teacher.
        say: See ``evaluate``.
    """
    metrics = evaluate(teacher_step(distiller, place), loop.dataloader, loop.evaluator, say)
    return {name: float(value) for name, value in metrics.items()}


def teacher_step(distiller: Distiller, place: int) -> Step:
    """``distiller.teacher_step`` of one teacher."""
    return lambda batch: distiller.teacher_step(batch, place)


@torch.no_grad()
def evaluate(
    step: Step, loader: DataLoader, evaluator: Evaluator, say: Say | None = None
) -> dict[str, Any]:
    """An evaluator's metrics of what ``step`` predicts on all batches, of all processes.

    Args:
        step: A batch of data to predictions.
        loader: The batches.
        evaluator: With its metrics.
        say: Is told every ten seconds how far it is and how long it will take. Default: nobody.
    """
    for batch in with_remaining_time(loader, say) if say else loader:
        evaluator.process(data_samples=step(batch), data_batch=batch)
    return evaluator.evaluate(len(cast(Sized, loader.dataset)))


def with_remaining_time(loader: DataLoader, say: Say, seconds: float = 10.0) -> Iterator[Any]:
    """The batches of ``loader``; ``say`` gets a line whenever ``seconds`` have passed."""
    started = last = time.monotonic()
    for done, batch in enumerate(loader):
        now = time.monotonic()
        if done and now - last >= seconds:
            last = now
            left = (now - started) / done * (len(loader) - done)
            say(f"{done} of {len(loader)} batches, {left:.0f} s left")
        yield batch
