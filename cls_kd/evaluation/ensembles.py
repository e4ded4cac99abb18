"""Ensembles: mean probabilities and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def prefix_ensembles(probabilities: Sequence[Tensor]) -> list[Tensor]:
    """Mean probabilities of the first network, of the first two, and so on.

    Args:
        probabilities: (N, K) each.
    """
    sums = torch.stack(list(probabilities)).cumsum(0)
    return [total / count for count, total in enumerate(sums, 1)]


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Top-1, in percent; of two equal scores the first class is the answer."""
    return 100 * float((scores.argmax(1) == labels).double().mean())
