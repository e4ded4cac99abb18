"""The student's task loss, as one loss among others."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cls_kd.losses.base import DistillLoss


class TaskLoss(DistillLoss):
    r"""Compute the student's task loss on the labels by its own head, usually cross-entropy.

    Paper: none

    .. math:: L = \mathrm{criterion}(z^s)

    ``student_criterion`` knows the labels, also smoothed or mixed ones.

    Shapes:
        student_logits: (N, K).
    """

    group = "task"
    multi_label = True

    def forward(
        self, student_logits: Tensor, student_criterion: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return student_criterion(student_logits)
