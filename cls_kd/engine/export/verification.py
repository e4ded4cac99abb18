"""Comparison of an exported file's logits with the student's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cls_kd.engine.export.images import LabelledImages
from cls_kd.engine.export.student import Student
from cls_kd.errors import UserError

Predictor = Callable[[Tensor], Tensor]
"""Inputs (N, C, H, W) to logits (N, K)."""

TOLERANCE = 1e-4
"""Tolerance for the logits of another runtime, absolute and relative (ours)."""

_BATCHES = (1, 3)


class Accuracy(NamedTuple):
    """Accuracy of an exported file on real images, in %.

    Attributes:
        split: Name of the split.
        images: How many.
        before: Top-1 accuracy of the student in PyTorch.
        after: Top-1 accuracy of the exported file.
        agreement: Fraction of images for which both predict the same class.
        difference: Largest difference of a logit.
    """

    split: str
    images: int
    before: float
    after: float
    agreement: float
    difference: float


@torch.no_grad()
def largest_difference(
    student: Student,
    predictor: Predictor,
    tolerance: float | None,
    sizes: Sequence[Sequence[int] | None] = (None,),
) -> float:
    """The largest difference of logits over two sizes of batch of random images.

    Args:
        student: What it should be.
        predictor: What it is.
        tolerance: Absolute and relative; 0 for equality to the last bit, None for any finite value.
        sizes: Heights and widths to try. Default: the student's.

    Raises:
        UserError: It is too large.
    """
    largest = 0.0
    for batch in _BATCHES:
        for size in sizes:
            inputs = student.inputs(batch, size)
            expected, actual = student.logits(inputs), predictor(inputs)
            gap = _gap(expected, actual)
            if not _is_close(expected, actual, tolerance):
                raise UserError(
                    f"The exported network does not give the student's logits for {batch} images "
                    f"of {inputs.shape[2]} x {inputs.shape[3]}: they differ by up to {gap}. "
                    "Nothing was written."
                )
            largest = max(largest, gap)
    return largest


@torch.no_grad()
def accuracy(student: Student, predictor: Predictor, images: LabelledImages) -> Accuracy:
    """Top-1 accuracy of student and exported file on the same images."""
    count = before = after = same = 0
    largest = 0.0
    for inputs, labels in images:
        logits, others = student.logits(inputs), predictor(inputs)
        expected, actual = logits.argmax(1), others.argmax(1)
        largest = max(largest, _gap(logits, others))
        count += len(labels)
        before += int((expected == labels).sum())
        after += int((actual == labels).sum())
        same += int((expected == actual).sum())
    top1_before, top1_after, agreement = (100 * hits / count for hits in (before, after, same))
    return Accuracy(images.split, count, top1_before, top1_after, agreement, largest)


def _is_close(expected: Tensor, actual: Tensor, tolerance: float | None) -> bool:
    if expected.shape != actual.shape:
        return False
    if tolerance is None:
        return bool(actual.isfinite().all())
    return torch.allclose(expected, actual, tolerance, tolerance)


def _gap(expected: Tensor, actual: Tensor) -> float:
    return float((expected - actual).abs().max()) if expected.shape == actual.shape else math.nan
