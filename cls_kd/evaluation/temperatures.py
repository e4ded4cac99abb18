"""Entropy and calibration of softened probabilities at a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from cls_kd.evaluation.calibration import expected_calibration_error
from cls_kd.evaluation.confidence import entropy, primary_score


@dataclass(frozen=True)
class Confidence:
    """Of the softmax at one temperature; means over samples.

    Attributes:
        temperature: The temperature.
        entropy: In nats.
        normalized_entropy: The same divided by log K: 0 for certain rows, 1 for uniform ones.
        beyond_top: Probability that the largest leaves to all others.
        calibration_error: ECE, 0 to 1.
    """

    temperature: float
    entropy: float
    normalized_entropy: float
    beyond_top: float
    calibration_error: float


def confidence_at(logits: Tensor, labels: Tensor, temperature: float) -> Confidence:
    """Confidence of logits (N, K) at a temperature; labels are (N,)."""
    probabilities = (logits.double() / temperature).softmax(1)
    nats = entropy(probabilities)
    return Confidence(
        temperature,
        nats,
        nats / math.log(logits.shape[1]),
        1 - primary_score(probabilities),
        expected_calibration_error(probabilities, labels),
    )


def normalized_entropy(logits: Tensor, temperature: float) -> float:
    """Entropy of the softmax of (N, K) at a temperature, divided by log K; mean over samples."""
    probabilities = (logits.double() / temperature).softmax(1)
    return entropy(probabilities) / math.log(logits.shape[1])
