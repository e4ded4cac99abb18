"""Soft labels: the classes of a hard, smoothed or mixed label."""

from __future__ import annotations

import torch
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


def right_rows(logits: Tensor, targets: Tensor, fraction: float) -> Tensor:
    """Rows whose largest entry is the target's, and a fraction of the others, as a mask (N,).

    Of the others those with the best rank of the target come first, in order among equal ranks.

    Args:
        logits: (N, K).
        targets: Classes, (N,).
        fraction: Of the wrong rows; their number is rounded down.

    >>> logits = torch.tensor([[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [1.0, 2.0, 3.0]])
    >>> right_rows(logits, torch.tensor([0, 2, 1]), 0.5)
    tensor([ True, False,  True])
    """
    rank = (logits > logits.gather(1, targets.unsqueeze(1))).sum(1)
    position = torch.argsort(torch.argsort(rank, stable=True))
    right = (rank == 0).sum()
    return position < right + (fraction * (len(rank) - right)).floor()
