"""Confidence of predictions: entropy and top scores; each the mean over samples.

``probabilities`` are (N, K), rows that sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def entropy(probabilities: Tensor) -> float:
    """In nats: 0 where all rows are certain, log K where all are uniform."""
    return float(torch.special.entr(probabilities).sum(1).mean())


def primary_score(probabilities: Tensor) -> float:
    """The largest score, whether its class is right or not."""
    return float(probabilities.max(1).values.mean())


def secondary_score(probabilities: Tensor, k: int) -> float:
    """Sum of the second to the k-th score."""
    return float(probabilities.topk(k, dim=1).values[:, 1:].sum(1).mean())


def top_score_difference(probabilities: Tensor, k: int) -> float:
    """The largest score, less the mean of the second to the k-th.

    C. Yang, L. Xie, S. Qiao, A. Yuille, "Training Deep Neural Networks in Generations: A More
    Tolerant Teacher Educates Better Students", AAAI 2019, arXiv:1805.05551.
    """
    top = probabilities.topk(k, dim=1).values
    return float((top[:, 0] - top[:, 1:].mean(1)).mean())
