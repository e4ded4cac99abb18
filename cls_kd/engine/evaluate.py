"""Evaluation of a network that need not be the student."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, cast

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner.loops import TestLoop, ValLoop
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller

Step = Callable[[Any], list[DataSample]]
"""A batch of data to predictions."""


def evaluate_teacher(
    loop: ValLoop | TestLoop, distiller: Distiller, place: int = 0
) -> dict[str, float]:
    """Metrics of one teacher on a loop's data, with the loop's own evaluator.

    Args:
        loop: The runner's validation or test loop.
        distiller: The distiller that holds the teacher.
        place: Which teacher.
    """
    metrics = evaluate(teacher_step(distiller, place), loop.dataloader, loop.evaluator)
    return {name: float(value) for name, value in metrics.items()}


def teacher_step(distiller: Distiller, place: int) -> Step:
    """``distiller.teacher_step`` of one teacher."""
    return lambda batch: distiller.teacher_step(batch, place)


@torch.no_grad()
def evaluate(step: Step, loader: DataLoader, evaluator: Evaluator) -> dict[str, Any]:
    """An evaluator's metrics of what ``step`` predicts on all batches, of all processes."""
    for batch in loader:
        evaluator.process(data_samples=step(batch), data_batch=batch)
    return evaluator.evaluate(len(cast(Sized, loader.dataset)))
