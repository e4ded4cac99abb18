"""Gram matrices of the rows of a matrix."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def gram(rows: Tensor) -> Tensor:
    """Inner products of all pairs of rows: (N, D) -> (N, N).

    >>> import torch
    >>> gram(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    tensor([[5., 3.],
            [3., 9.]])
    """
    return rows @ rows.t()


def cosine_gram(rows: Tensor) -> Tensor:
    """Cosines of the angles between all pairs of rows: (N, D) -> (N, N); 0 for a row of zeros.

    >>> import torch
    >>> cosine_gram(torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]])).round(decimals=4)
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 0., 0.]])
    """
    return gram(F.normalize(rows, dim=1))
