"""The student's divergence from each of P teachers; the teachers' logits are (P, N, K)."""

from __future__ import annotations

import torch.nn.functional as F
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


def confidence_weights(logits: Tensor, labels: Tensor) -> Tensor:
    """Weights of P teachers by their cross-entropy with the labels, (P, N); their sum is 1.

    Args:
        logits: (P, N, K), P at least 2.
        labels: (N,).

    >>> import torch
    >>> logits = torch.tensor([[[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 800.0]]])
    >>> confidence_weights(logits, torch.tensor([0]))  # the last one is wrong, and sure of it
    tensor([[0.5000],
            [0.5000],
            [0.0000]])
    """
    count = len(logits)
    target = labels.expand(count, -1).flatten()
    errors = F.cross_entropy(logits.flatten(0, 1), target, reduction="none")
    return (1 - F.softmax(errors.view(count, -1), dim=0)) / (count - 1)
