"""Agreement of two networks' predictions. Logits are (N, K)."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Top-1 accuracy in percent."""
    return 100 * float((logits.argmax(1) == labels).double().mean())


def agreement(first: Tensor, second: Tensor) -> float:
    """Samples of which both networks predict the same class, in percent."""
    return 100 * float((first.argmax(1) == second.argmax(1)).double().mean())


def class_counts(first: Tensor, second: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Samples of each class, and those of which the networks predict different classes: (K,) each.

    Args:
        first: Logits of one network.
        second: Logits of the other.
        labels: (N,).
    """
    classes = first.shape[1]
    differ = first.argmax(1) != second.argmax(1)
    return (
        torch.bincount(labels, minlength=classes),
        torch.bincount(labels[differ], minlength=classes),
    )
