"""Optimal transport between distributions over classes."""

from __future__ import annotations

import torch
from torch import Tensor

_EPS = 1e-8


def sinkhorn_distance(
    first: Tensor, second: Tensor, cost: Tensor, regularization: float, iterations: int
) -> Tensor:
    """Cost of the transport between distributions that Sinkhorn's algorithm finds, (N,).

    Args:
        first: Distributions, (N, K).
        second: Distributions, (N, K).
        cost: Cost of moving probability from i to j, (N, K, K); negative ones count as 0.
        regularization: Weight of the entropy.
        iterations: Each scales the columns, then the rows.

    >>> cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.25, 0.75]])
    >>> sinkhorn_distance(one, other, cost, 0.5, 10)
    tensor([0.7500])
    """
    cost = cost.clamp_min(0) + _EPS
    kernel = (-cost / regularization).exp()
    rows = torch.full_like(first, 1 / first.shape[1]).unsqueeze(2)
    columns = rows
    for _ in range(iterations):
        columns = second.unsqueeze(2) / (kernel.transpose(1, 2) @ rows + _EPS)
        rows = first.unsqueeze(2) / (kernel @ columns + _EPS)
    flow = rows * kernel * columns.transpose(1, 2)
    return (flow * cost).sum((1, 2))
