"""Logits on one scale."""

from __future__ import annotations

from torch import Tensor


def standardize(logits: Tensor, eps: float = 1e-7) -> Tensor:
    """Each row of (N, K) less its mean, divided by ``eps`` plus its unbiased standard deviation.

    >>> import torch
    >>> standardize(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).round(decimals=4)
    tensor([[-1.,  0.,  1.],
            [-1.,  0.,  1.]])
    """
    return (logits - logits.mean(1, keepdim=True)) / (eps + logits.std(1, keepdim=True))
