"""Attention of a teacher's stages over a student's, from their channel means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StageAttention(nn.Module):
    """Weights of the student's stages for each stage of the teacher, (N, T, S), each row sums to 1.

    Queries and keys are linear layers with batch normalization on channel means, with a ReLU after
    those of keys. A shared layer gives each key another value for each stage of the teacher.
    Learned vectors stand for the positions of stages.

    Args:
        student: Widths of the student's stages, S.
        teacher: Widths of the teacher's stages, T.
        dim: Length of queries and keys.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int], dim: int) -> None:
        super().__init__()
        self.queries = nn.ModuleList(_normalized_linear(width, dim) for width in teacher)
        self.keys = nn.ModuleList(_normalized_linear(width, dim) for width in student)
        self.bilinear = _normalized_linear(dim, dim * len(teacher))
        self.bilinear[1].register_parameter("bias", None)  # the softmax over s would cancel it
        self.teacher_positions = nn.Parameter(torch.empty(len(teacher), dim))
        self.student_positions = nn.Parameter(torch.empty(len(student), dim))
        nn.init.xavier_normal_(self.teacher_positions)
        nn.init.xavier_normal_(self.student_positions)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Maps (N, C, h, w) of all stages of both networks to weights (N, T, S)."""
        queries = torch.stack(
            [query(_means(maps)) for query, maps in zip(self.queries, teacher, strict=True)], dim=1
        )  # (N, T, dim)
        keys = torch.stack(
            [key(_means(maps)).relu() for key, maps in zip(self.keys, student, strict=True)], dim=1
        )  # (N, S, dim)
        number, stages, dim = keys.shape
        keys = self.bilinear(keys.flatten(0, 1)).view(number, stages, -1, dim)  # (N, S, T, dim)
        scores = torch.einsum("nstd,ntd->nts", keys, queries)
        positions = self.teacher_positions @ self.student_positions.T
        return ((scores + positions) / math.sqrt(dim)).softmax(dim=2)


def _normalized_linear(in_features: int, out_features: int) -> nn.Sequential:
    # Without bias, which batch normalization would take out again.
    linear = nn.Linear(in_features, out_features, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(out_features))


def _means(maps: Tensor) -> Tensor:
    return maps.mean((2, 3))
