"""KL divergence and cross-entropy of softmaxes at a temperature, stable for large logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def softened_kl(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """``T^2 KL(teacher || student)`` of the two softmaxes at ``temperature``, mean over the batch.

    >>> import torch
    >>> logits = torch.tensor([[500.0, -500.0]])
    >>> softened_kl(logits, logits, 4.0)
    tensor(0.)
    >>> softened_kl(torch.zeros(1, 2), logits)  # the teacher is certain, the student is not: log 2
    tensor(0.6931)
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=1)
    return temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def softened_kl_each(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """:func:`softened_kl` of each sample, (N,).

    >>> import torch
    >>> softened_kl_each(torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [500.0, -500.0]]))
    tensor([0.0000, 0.6931])
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=1)
    return temperature**2 * F.kl_div(student, teacher, reduction="none", log_target=True).sum(1)


def softened_cross_entropy(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """``T^2 H(teacher, student)`` of the two softmaxes at ``temperature``, mean over the batch.

    It is :func:`softened_kl` plus the teacher's entropy: another value, the same gradient.

    >>> import torch
    >>> softened_cross_entropy(torch.zeros(1, 2), torch.zeros(1, 2), 2.0)  # 4 log 2
    tensor(2.7726)
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.softmax(teacher_logits / temperature, dim=1)
    return -(temperature**2) * (teacher * student).sum(1).mean()
