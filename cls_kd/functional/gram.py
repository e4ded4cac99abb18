"""Gram matrices: similarities of the vectors of a set."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def normalized_gram(vectors: Tensor) -> Tensor:
    """Gram matrix with rows of unit length: (..., R, D) -> (..., R, R).

    Rows of zeros stay zero.

    >>> import torch
    >>> normalized_gram(torch.tensor([[3.0, 0.0], [4.0, 0.0], [0.0, 2.0]]))
    tensor([[0.6000, 0.8000, 0.0000],
            [0.6000, 0.8000, 0.0000],
            [0.0000, 0.0000, 1.0000]])
    """
    return F.normalize(vectors @ vectors.transpose(-1, -2), dim=-1)
