"""Standardization (z-score) of logits."""

from __future__ import annotations

import torch
from torch import Tensor


def standardize(logits: Tensor, eps: float = 1e-7, correction: int = 1) -> Tensor:
    """Each row of (N, K) less its mean, divided by ``eps`` plus its standard deviation.

    ``correction`` is 1 for the unbiased deviation (K-1) and 0 for that of the population (K).

    >>> import torch
    >>> standardize(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).round(decimals=4)
    tensor([[-1.,  0.,  1.],
            [-1.,  0.,  1.]])
    """
    deviation = logits.std(1, correction=correction, keepdim=True)
    return (logits - logits.mean(1, keepdim=True)) / (eps + deviation)


def standardize_columns(values: Tensor, eps: float = 0.0, correction: int = 1) -> Tensor:
    """Each column of (N, D) less its mean, divided by its standard deviation; 0 if constant.

    ``eps`` is added to the variance, as in batch normalization (with ``correction=0``).

    >>> import torch
    >>> standardize_columns(torch.tensor([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    tensor([[-1.,  0.],
            [ 0.,  0.],
            [ 1.,  0.]])
    """
    variance, mean = torch.var_mean(values, 0, correction=correction)
    return (values - mean) / (variance + eps).clamp_min(1e-12).sqrt()
