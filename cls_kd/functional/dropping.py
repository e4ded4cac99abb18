"""Teacher dropping: which teachers each sample learns from."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def kept_teachers(losses: Tensor, probability: float) -> Tensor:
    """Weights of teachers (P, N), which sum to 1 over all: kept or 0.

    The teacher of the largest loss is kept for each sample, each other one is dropped with a
    probability, independently.

    Args:
        losses: Of each teacher and sample, (P, N).
        probability: Of being dropped.

    >>> kept_teachers(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), probability=1.0)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    largest = losses == losses.amax(0, keepdim=True)
    kept = (largest | (torch.rand_like(losses) >= probability)).to(losses.dtype)
    return kept / kept.sum()
