"""Target class and non-target classes of logits or log-probabilities."""

from __future__ import annotations

import torch
from torch import Tensor


def split_target(values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Take the label's column out of each row.

    Args:
        values: Logits or log-probabilities, (N, K).
        labels: Hard labels, (N,).

    Returns:
        The values of the label, (N, 1), and those of the other classes in order, (N, K-1).

    >>> values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> split_target(values, torch.tensor([1, 2]))
    (tensor([[2.],
            [6.]]), tensor([[1., 3.],
            [4., 5.]]))
    """
    target = labels.unsqueeze(1)
    others = torch.arange(values.shape[1] - 1, device=values.device)
    others = others + (others >= target)  # (N, K-1): a boolean mask would wait for the device
    return values.gather(1, target), values.gather(1, others)
