"""Distances of vectors for regression: one value a vector, over the last axis."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]
"""Two tensors (..., D) to (...)."""


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 less the cosine of two vectors.

    >>> import torch
    >>> cosine_distance(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([0.0, 1.0]))
    tensor([1., 1.])
    """
    return 1 - F.cosine_similarity(student, teacher.expand_as(student), dim=-1)


def smooth_l1_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of the Huber function with threshold 1 of the differences."""
    return F.smooth_l1_loss(student, teacher, reduction="none").mean(-1)


def squared_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of the squared differences."""
    return F.mse_loss(student, teacher, reduction="none").mean(-1)


def cosine_smooth_l1_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Half the cosine distance and half the smooth L1 distance."""
    return (cosine_distance(student, teacher) + smooth_l1_distance(student, teacher)) / 2


DISTANCES: dict[str, Distance] = {
    "cosine": cosine_distance,
    "smooth_l1": smooth_l1_distance,
    "mse": squared_distance,
    "cosine_smooth_l1": cosine_smooth_l1_distance,
}
"""Distances by the names that losses take."""
