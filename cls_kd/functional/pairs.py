"""Pairwise distances and triplet angles of a batch of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pairwise_distances(points: Tensor, eps: float = 1e-12) -> Tensor:
    """Euclidean distance of every pair: (N, D) -> (N, N), squares clamped at ``eps``, diagonal 0.

    >>> pairwise_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0., 5.],
            [5., 0.]])
    """
    # Differences, not the Gram matrix: near neighbors keep their digits in float32.
    squared = (points.unsqueeze(0) - points.unsqueeze(1)).square().sum(-1)  # (N, N)
    same = torch.eye(len(points), dtype=torch.bool, device=points.device)
    return squared.clamp_min(eps).sqrt().masked_fill(same, 0.0)


def pairwise_cosines(points: Tensor) -> Tensor:
    """Cosine of the angle between every pair: (N, D) -> (N, N); 0 for a point at the origin.

    >>> pairwise_cosines(torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]])).round(decimals=4)
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 0., 0.]])
    """
    unit = F.normalize(points, dim=1)
    return unit @ unit.t()


def triplet_cosines(points: Tensor, eps: float = 1e-12) -> Tensor:
    """Cosine of the angle at ``i`` between ``j`` and ``k``: (N, D) -> (N, N, N) as [i, j, k].

    Points that coincide (closer than ``eps``) make no angle: 0, with gradient 0.

    >>> corner = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    >>> triplet_cosines(corner)[0]
    tensor([[0., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    edges = points.unsqueeze(0) - points.unsqueeze(1)  # (N, N, D): [i, j] from i to j
    length = edges.norm(dim=-1, keepdim=True)
    unit = edges / length.masked_fill(length <= eps, torch.inf)
    return unit @ unit.transpose(1, 2)
