"""Soft labels: the classes of a hard, smoothed or mixed label."""

from __future__ import annotations

from torch import Tensor


def two_targets(targets: Tensor) -> tuple[Tensor, Tensor]:
    """The two classes of a mixed label with their values; of a hard label the second value is 0.

    A uniform part (label smoothing) names no class: it is taken off, and the rest sums to 1 again.
    With K = 2 it cannot be told from a mixed label, and the larger class is left.

    Args:
        targets: Label distributions, (N, K), K at least 2.

    Returns:
        Classes and values, (N, 2) each, the larger value first.

    >>> import torch
    >>> two_targets(torch.tensor([[0.0, 0.3, 0.7, 0.0], [0.05, 0.85, 0.05, 0.05]]))[1]
    tensor([[0.7, 0.3],
            [1.0, 0.0]])
    """
    rest = targets - targets.amin(dim=1, keepdim=True)
    rest = rest / rest.sum(dim=1, keepdim=True).clamp_min(1e-12)
    values, classes = rest.topk(2, dim=1)
    return classes, values
