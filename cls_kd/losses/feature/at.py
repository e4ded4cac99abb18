"""AT: where the network looks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import attention_map, match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive, stage_shape
from cls_kd.signals.shapes import ShapeFacts


class ATLoss(DistillLoss):
    r"""Look where the teacher looks, at every stage.

    Paper: Zagoruyko and Komodakis 2017, arXiv:1612.03928

    .. math:: L = \sum_j \mathrm{mean}\,(Q^s_j - Q^t_j)^2, \quad
              Q = \mathrm{vec}(\mathrm{mean}_c f_c^p) / \|\mathrm{vec}(\mathrm{mean}_c f_c^p)\|_2

    summed over stages j; the larger of two maps is average-pooled to the smaller beforehand.

    [0] S. Zagoruyko, N. Komodakis, "Paying More Attention to Attention: Improving the Performance
        of Convolutional Neural Networks via Attention Transfer", ICLR 2017, arXiv:1612.03928.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/AT.py. Differences: stages can be
        chosen, and networks with unequal numbers of stages are refused where [1] drops the last.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        p: p, the power; an odd one keeps signs. Default: all of the paper's data sets.
        stages: Places in both tuples, counted from 0; negative from the last. Default: all.

    Weight:
        1000 on CIFAR-100.
    """

    def __init__(
        self,
        *,
        p: int = 2,
        stages: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        check_positive(self, p=p)
        self.p = p
        self.stages = stages

    def build(self, shapes: ShapeFacts) -> None:
        student, teacher = shapes.many("student_stages"), shapes.many("teacher_stages")
        for stage in self.stages or ():
            stage_shape(self, "student", student, stage)
            stage_shape(self, "teacher", teacher, stage)
        self._check_counts(len(student), len(teacher))

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        self._check_counts(len(student_stages), len(teacher_stages))
        stages = range(len(student_stages)) if self.stages is None else self.stages
        losses = [self._one(student_stages[j], teacher_stages[j].detach()) for j in stages]
        return torch.stack(losses).sum()

    def _one(self, student: Tensor, teacher: Tensor) -> Tensor:
        student, teacher = match_size(student, teacher)
        return F.mse_loss(attention_map(student, self.p), attention_map(teacher, self.p))

    def _check_counts(self, student: int, teacher: int) -> None:
        if self.stages is None and student != teacher:
            raise UserError(
                f"ATLoss: the student has {student} stages and the teacher {teacher}. Say which "
                f"to compare, for example stages=(-2, -1)."
            )
