"""Pearson correlation and Gram matrices."""

from __future__ import annotations

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
