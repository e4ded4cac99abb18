"""Calibration of a network's probabilities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """ECE: mean distance of confidence and accuracy, over bins of equal width; 0 to 1.

    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        probabilities: (N, K), rows that sum to 1.
        labels: (N,).
        bins: Number of confidence bins.
    """
    classes = probabilities.shape[1]
    return float(multiclass_calibration_error(probabilities, labels, classes, n_bins=bins))


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> float:
    """Mean of ``-log p`` of the label; a probability that rounds to 0 counts as the smallest."""
    smallest = torch.finfo(probabilities.dtype).tiny
    return float(F.nll_loss(probabilities.clamp(min=smallest).log(), labels))


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Squared distance to the one-hot label, summed over classes, mean over samples; 0 to 2."""
    wanted = F.one_hot(labels, probabilities.shape[1])
    return float((probabilities - wanted).square().sum(1).mean())


def area_under_risk_coverage(probabilities: Tensor, labels: Tensor) -> float:
    """AURC: error among the most confident, averaged over how many of them are kept; 0 to 1.

    Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
    Classifiers", ICLR 2019. Samples of equal confidence get their mean error (ours), so that their
    order does not matter.
    """
    confidence, predicted = probabilities.double().max(1)
    wrong = (predicted != labels).double()
    levels, level = confidence.unique(return_inverse=True)
    total = torch.zeros_like(levels).index_add(0, level, wrong)
    shared = (total / level.bincount())[level]
    risks = shared[confidence.argsort(descending=True)].cumsum(0)
    return float((risks / torch.arange(1, len(risks) + 1, device=risks.device)).mean())
