"""KL divergence and cross-entropy of softmaxes at a temperature, stable for large logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def softened_kl(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor = 1.0
) -> Tensor:
    """``T^2 KL(teacher || student)`` of the two softmaxes at ``temperature``, mean over the batch.

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

    >>> softened_cross_entropy(torch.zeros(1, 2), torch.zeros(1, 2), 2.0)  # 4 log 2
    tensor(2.7726)
    """
    return softened_cross_entropy_each(student_logits, teacher_logits, temperature).mean()


def softened_cross_entropy_each(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """:func:`softened_cross_entropy` of each sample, (N,).

    >>> softened_cross_entropy_each(torch.zeros(1, 2), torch.zeros(1, 2))
    tensor([0.6931])
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.softmax(teacher_logits / temperature, dim=1)
    return -(temperature**2) * (teacher * student).sum(1)


def subset_kl_each(
    student_logits: Tensor, teacher_logits: Tensor, subset: Tensor, temperature: float = 1.0
) -> Tensor:
    """:func:`softened_kl` of each sample over a subset of its classes, (N,); 0 where it is empty.

    Args:
        student_logits: (N, K).
        teacher_logits: (N, K).
        subset: Which classes count, (N, K) bool.
        temperature: Of both softmaxes.

    >>> student, teacher = torch.zeros(2, 3), torch.tensor([[500.0, 0.0, -500.0]]).expand(2, 3)
    >>> subset = torch.tensor([[False, True, True], [False, False, False]])
    >>> subset_kl_each(student, teacher, subset)  # log 2, and nothing
    tensor([0.6931, 0.0000])
    """
    student = _log_softmax_of(student_logits / temperature, subset)
    teacher = _log_softmax_of(teacher_logits / temperature, subset)
    return temperature**2 * (teacher.exp() * subset * (teacher - student)).sum(1)


def _log_softmax_of(logits: Tensor, subset: Tensor) -> Tensor:
    """Log-softmax over a subset of the classes; 0 at all others."""
    # Not -inf, whose logsumexp over nothing else has no gradient.
    lowest = torch.finfo(logits.dtype).min
    normalizer = logits.masked_fill(~subset, lowest).logsumexp(1, keepdim=True)
    return torch.where(subset, logits - normalizer, 0.0)
