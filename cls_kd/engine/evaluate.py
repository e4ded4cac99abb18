"""Evaluation of a network that is not the student."""

from __future__ import annotations

import torch
from mmengine.runner.loops import TestLoop, ValLoop

from cls_kd.distillers import Distiller


@torch.no_grad()
def evaluate_teacher(
    loop: ValLoop | TestLoop, distiller: Distiller, place: int = 0
) -> dict[str, float]:
    """Metrics of one teacher on a loop's data, with the loop's own evaluator.

    Args:
        loop: The runner's validation or test loop.
        distiller: The distiller that holds the teacher.
        place: Which teacher.
    """
    for batch in loop.dataloader:
        samples = distiller.teacher_step(batch, place)
        loop.evaluator.process(data_samples=samples, data_batch=batch)
    metrics = loop.evaluator.evaluate(len(loop.dataloader.dataset))
    return {name: float(value) for name, value in metrics.items()}
