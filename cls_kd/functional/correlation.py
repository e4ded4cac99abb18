"""Pearson correlation, Gram matrices and the correlations of predictions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pearson(a: Tensor, b: Tensor, dim: int, eps: float = 1e-8) -> Tensor:
    """Pearson correlation of ``a`` and ``b`` along ``dim``; a constant vector correlates with none.

    ``eps`` is added to the product of the two norms.

    >>> import torch
    >>> a = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    >>> b = torch.tensor([[5.0, 7.0, 9.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    >>> pearson(a, b, dim=1).round(decimals=4)
    tensor([ 1., -1.,  0.])
    """
    a = a - a.mean(dim, keepdim=True)
    b = b - b.mean(dim, keepdim=True)
    return (a * b).sum(dim) / (a.norm(dim=dim) * b.norm(dim=dim) + eps)


def gram_distance(a: Tensor, b: Tensor) -> Tensor:
    """Squared Frobenius distance of the Gram matrices of the rows: (N, D), (N, D') -> scalar.

    >>> import torch
    >>> gram_distance(torch.eye(2), torch.tensor([[1.0], [0.0]]))
    tensor(1.)
    """
    return (a @ a.T - b @ b.T).square().sum()


def batch_correlation(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """:func:`gram_distance` of two softmaxes between the samples, divided by N.

    >>> import torch
    >>> logits = torch.tensor([[500.0, -500.0], [-500.0, 500.0]])
    >>> batch_correlation(torch.zeros(2, 2), logits)
    tensor(0.5000)
    """
    student = F.softmax(student_logits / temperature, dim=1)
    teacher = F.softmax(teacher_logits / temperature, dim=1)
    return gram_distance(student, teacher) / len(student)


def class_correlation(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """:func:`gram_distance` of two softmaxes between the classes, divided by K.

    >>> import torch
    >>> class_correlation(torch.zeros(1, 2), torch.tensor([[500.0, -500.0]]))
    tensor(0.3750)
    """
    student = F.softmax(student_logits / temperature, dim=1)
    teacher = F.softmax(teacher_logits / temperature, dim=1)
    return gram_distance(student.T, teacher.T) / student.shape[1]
