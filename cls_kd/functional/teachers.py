"""The student's divergence from each of P teachers; the teachers' logits are (P, N, K)."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional.softened import softened_kl_each


def teacher_kl_each(
    student_logits: Tensor, all_teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """``T^2 KL(teacher || student)`` of each teacher and sample, (P, N).

    >>> import torch
    >>> teacher_kl_each(torch.zeros(1, 2), torch.tensor([[[500.0, -500.0]], [[0.0, 0.0]]]))
    tensor([[0.6931],
            [0.0000]])
    """
    student = student_logits.expand_as(all_teacher_logits).flatten(0, 1)
    each = softened_kl_each(student, all_teacher_logits.flatten(0, 1), temperature)
    return each.unflatten(0, all_teacher_logits.shape[:2])
