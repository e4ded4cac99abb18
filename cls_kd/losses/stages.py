"""Pairs of stages: the student's and the teacher's whose feature maps a loss compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.options import stage_shape
from cls_kd.signals.shapes import Shape, SignalShapes

StagePairs: TypeAlias = Sequence[int | tuple[int, int]] | None
"""Indices into both tuples of stages, or pairs of indices (student, teacher); None: all of both."""

PREACTS = ("student_preacts", "teacher_preacts")


def pair_stages(
    owner: object, stages: StagePairs, student: int, teacher: int
) -> list[tuple[int, int]]:
    """Pairs of stage indices, the student's first.

    Args:
        owner: The loss, which an error names.
        stages: The option of the loss.
        student: Number of stages that the student has.
        teacher: Number of stages that the teacher has.

    Raises:
        UserError: Nothing was chosen and the numbers differ, or an entry is neither one index
            nor two.
    """
    if stages is None:
        if student != teacher:
            raise UserError(
                f"{type(owner).__name__}: the student has {student} stages and the teacher "
                f"{teacher}. Say which to compare, for example stages=(-2, -1), or in pairs "
                "(student, teacher), stages=[(1, 0), (2, 1)]."
            )
        stages = range(student)
    return [_pair(owner, entry) for entry in stages]


def paired_shapes(
    owner: object,
    stages: StagePairs,
    shapes: SignalShapes,
    signals: tuple[str, str] = ("student_stages", "teacher_stages"),
) -> list[tuple[Shape, Shape]]:
    """Shapes (C, h, w) of the chosen pairs of maps, the student's first.

    Args:
        owner: The loss, which an error names.
        stages: The option of the loss.
        shapes: The measured shapes.
        signals: The student's and the teacher's tuples of maps.

    Raises:
        UserError: As `pair_stages`, or a network has no such stage.
    """
    student, teacher = (shapes.tensors(signal) for signal in signals)
    return [
        (
            stage_shape(owner, "student", student, ours),
            stage_shape(owner, "teacher", teacher, theirs),
        )
        for ours, theirs in pair_stages(owner, stages, len(student), len(teacher))
    ]


def paired_maps(
    owner: object, stages: StagePairs, student: Sequence[Tensor], teacher: Sequence[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """The chosen pairs of maps, the student's first; the teacher's without gradient.

    Args:
        owner: The loss, which an error names.
        stages: The option of the loss.
        student: Maps (N, C, h, w) of all stages of the student.
        teacher: Maps of all stages of the teacher.

    Raises:
        UserError: As `pair_stages`.
    """
    pairs = pair_stages(owner, stages, len(student), len(teacher))
    return [(student[ours], teacher[theirs].detach()) for ours, theirs in pairs]


def sum_doubling(losses: Sequence[Tensor]) -> Tensor:
    """Sum over stages, where each counts twice as much as the one before and the last one 1.

    >>> sum_doubling(torch.tensor([4.0, 2.0, 1.0]))
    tensor(3.)
    """
    weighted = [0.5**depth * loss for depth, loss in enumerate(reversed(list(losses)))]
    return torch.stack(weighted).sum()


def _pair(owner: object, entry: int | Sequence[int]) -> tuple[int, int]:
    indices = (entry, entry) if isinstance(entry, int) else tuple(entry)
    if len(indices) != 2:
        raise UserError(
            f"{type(owner).__name__}: each of stages is an index or a pair (student, teacher), "
            f"not {entry!r}."
        )
    return indices[0], indices[1]
