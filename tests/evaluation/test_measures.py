"""Measures of probabilities and embeddings, against closed forms and other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss
from torch import Tensor

from cls_kd.data import CIFAR100
from cls_kd.errors import UserError
from cls_kd.evaluation import (
    CalibrationError,
    calibration,
    class_structure,
    confidence,
    ensembles,
    transfer,
)


@pytest.fixture
def soft() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 5, generator=generator, dtype=torch.float64)
    return logits.softmax(1), torch.randint(5, (200,), generator=generator)


CERTAIN = torch.eye(4, dtype=torch.float64)
UNIFORM = torch.full((4, 4), 0.25, dtype=torch.float64)
LABELS = torch.arange(4)


# --- calibration ---


def test_certain_and_right_is_perfect() -> None:
    for measure in (
        calibration.expected_calibration_error,
        calibration.negative_log_likelihood,
        calibration.brier_score,
        calibration.area_under_risk_coverage,
    ):
        assert measure(CERTAIN, LABELS) == pytest.approx(0, abs=1e-12)


def test_certain_and_wrong_is_the_worst() -> None:
    wrong = CERTAIN.roll(1, 0)
    assert calibration.expected_calibration_error(wrong, LABELS) == pytest.approx(1)
    assert calibration.brier_score(wrong, LABELS) == pytest.approx(2)
    assert calibration.area_under_risk_coverage(wrong, LABELS) == 1
    assert math.isfinite(calibration.negative_log_likelihood(wrong, LABELS))


def test_uniform_scores_have_their_closed_forms() -> None:
    assert calibration.negative_log_likelihood(UNIFORM, LABELS) == pytest.approx(math.log(4))
    assert calibration.brier_score(UNIFORM, LABELS) == pytest.approx(0.75)
    # All confidences are equal, so each coverage has the whole error: 3 of 4.
    assert calibration.area_under_risk_coverage(UNIFORM, LABELS) == pytest.approx(0.75)


def test_calibration_error_by_hand(soft: tuple[Tensor, Tensor]) -> None:
    probabilities, labels = (one.numpy() for one in soft)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            expected += inside.mean() * gap
    assert calibration.expected_calibration_error(*soft) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_as_a_metric_of_all_batches(soft: tuple[Tensor, Tensor]) -> None:
    metric = CalibrationError()
    samples = [
        {"pred_score": score, "gt_label": label[None]} for score, label in zip(*soft, strict=True)
    ]
    metric.process(None, samples[:150])
    metric.process(None, samples[150:])
    assert metric.evaluate(len(samples)) == {
        "calibration/ece": pytest.approx(100 * calibration.expected_calibration_error(*soft))
    }


def test_likelihood_and_brier_score_as_scikit_learn_has_them(soft: tuple[Tensor, Tensor]) -> None:
    probabilities, labels = (one.numpy() for one in soft)
    assert calibration.negative_log_likelihood(*soft) == pytest.approx(
        log_loss(labels, probabilities)
    )
    assert calibration.brier_score(*soft) == pytest.approx(
        brier_score_loss(labels, probabilities, scale_by_half=False)
    )


def test_risk_and_coverage_by_hand() -> None:
    """Kept one by one: right, wrong, right; errors 0, 1/2, 1/3."""
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    labels = torch.tensor([0, 1, 1])
    expected = (0 + 1 / 2 + 1 / 3) / 3
    assert calibration.area_under_risk_coverage(probabilities, labels) == pytest.approx(expected)
    order = torch.tensor([2, 0, 1])
    again = calibration.area_under_risk_coverage(probabilities[order], labels[order])
    assert again == pytest.approx(expected)


def test_risk_and_coverage_do_not_depend_on_the_order_of_ties(soft: tuple[Tensor, Tensor]) -> None:
    probabilities, labels = (soft[0] * 4).round() / 4, soft[1]
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    assert calibration.area_under_risk_coverage(probabilities, labels) == pytest.approx(
        calibration.area_under_risk_coverage(probabilities[order], labels[order])
    )


# --- confidence ---


def test_confidence_of_certain_and_uniform_scores() -> None:
    assert confidence.entropy(CERTAIN) == 0
    assert confidence.entropy(UNIFORM) == pytest.approx(math.log(4))
    assert confidence.primary_score(UNIFORM) == 0.25
    assert confidence.secondary_score(CERTAIN, 3) == 0
    assert confidence.secondary_score(UNIFORM, 3) == pytest.approx(0.5)
    assert confidence.top_score_difference(CERTAIN, 2) == 1
    assert confidence.top_score_difference(UNIFORM, 4) == 0


def test_confidence_by_hand() -> None:
    scores = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4]], dtype=torch.float64)
    assert confidence.primary_score(scores) == pytest.approx(0.55)
    assert confidence.secondary_score(scores, 2) == pytest.approx(0.35)
    assert confidence.top_score_difference(scores, 2) == pytest.approx((0.3 + 0.1) / 2)
    assert confidence.top_score_difference(scores, 3) == pytest.approx((0.4 + 0.25) / 2)


# --- class structure ---

PAIRS = torch.tensor([0, 0, 1, 1])


def test_coarse_separation_by_hand() -> None:
    """Classes at the corners of a rectangle, 1 wide within a superclass and 3 across."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [1.0, 3.0]])
    embeddings = torch.cat([corners + 0.5, corners - 0.5, corners[:1]])
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0])
    across = (3 + math.sqrt(10)) / 2
    separation = class_structure.coarse_separation(embeddings, labels, PAIRS)
    assert separation == pytest.approx(across)
    # Other superclasses, across the sides.
    crossed = class_structure.coarse_separation(embeddings, labels, torch.tensor([0, 1, 0, 1]))
    assert crossed == pytest.approx((1 + math.sqrt(10)) / 2 / 3)


def test_secondary_mass_by_hand() -> None:
    scores = torch.tensor([[0.7, 0.2, 0.06, 0.04], [0.1, 0.1, 0.2, 0.6]], dtype=torch.float64)
    expected = (0.2 / 0.3 + 0.2 / 0.4) / 2
    assert class_structure.secondary_mass(scores.log(), PAIRS) == pytest.approx(expected)


def test_secondary_mass_of_a_certain_network_is_finite() -> None:
    """Its rest rounds to nothing in probabilities, and still is divided."""
    logits = torch.tensor([[1000.0, 0.0, 0.0, 0.0]])
    assert class_structure.secondary_mass(logits, PAIRS) == pytest.approx(1 / 3)


def test_uniform_rest_is_chance() -> None:
    superclasses = torch.tensor([0, 0, 0, 1, 1, 2])
    logits = torch.eye(6)  # each class is the first answer once, the rest is equal
    chance = class_structure.mass_by_chance(superclasses)
    assert chance == pytest.approx((3 * 2 + 2 * 1 + 0) / 6 / 5)
    assert class_structure.secondary_mass(logits, superclasses) == pytest.approx(chance)
    # The second to the last answer are all others, in whatever order.
    assert class_structure.top_k_hit_rate(logits, superclasses, 6) == pytest.approx(chance)


def test_hit_rate_by_hand() -> None:
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 3.0, 2.0]])
    assert class_structure.top_k_hit_rate(logits, PAIRS, 2) == 0.5
    assert class_structure.top_k_hit_rate(logits, PAIRS, 3) == 0.25


def test_drift_is_a_divergence(soft: tuple[Tensor, Tensor]) -> None:
    logits = soft[0].log()
    assert class_structure.generation_drift(logits, logits + 3) == pytest.approx(0, abs=1e-12)
    other = logits.roll(1, 0)
    expected = (soft[0] * (logits - other)).sum(1).mean()
    assert class_structure.generation_drift(logits, other) == pytest.approx(float(expected))
    certain = torch.tensor([[500.0, -500.0]])
    assert class_structure.generation_drift(certain, torch.zeros(1, 2)) == pytest.approx(
        math.log(2)
    )


def test_superclasses_by_name() -> None:
    assert class_structure.superclasses_of(["b", "a", "b"], 3).tolist() == [1, 0, 1]
    for names, classes in ([0, 0], 3), ([0, 0, 0], 3), ([0, 1, 2], 3):
        with pytest.raises(UserError, match="superclasses: "):
            class_structure.superclasses_of(names, classes)


def test_the_superclasses_of_cifar_100_are_what_the_measures_take() -> None:
    superclasses = class_structure.superclasses_of(CIFAR100.METAINFO["superclasses"], 100)
    # Twenty groups of five.
    assert class_structure.mass_by_chance(superclasses) == pytest.approx(4 / 99)


# --- ensembles and transfer ---


def test_prefixes_are_averages(soft: tuple[Tensor, Tensor]) -> None:
    one, _ = soft
    two, three = one.roll(1, 0), one.roll(1, 1)
    averages = ensembles.prefix_ensembles([one, two, three])
    torch.testing.assert_close(averages, [one, (one + two) / 2, (one + two + three) / 3])
    assert ensembles.accuracy(one, one.argmax(1)) == 100
    assert ensembles.accuracy(CERTAIN, torch.tensor([0, 1, 2, 2])) == 75


def test_transfer_of_what_is_separable_and_of_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(40)
    # The scale of an axis must not matter.
    scales = torch.tensor([1.0, 1000.0, 0.001])
    embeddings = (torch.eye(3)[labels] + 0.1 * torch.randn(120, 3, generator=generator)) * scales
    split = embeddings[:60], labels[:60], embeddings[60:], labels[60:]
    assert transfer.linear_transfer(*split) == 100
    noise = torch.randn(120, 3, generator=generator)
    assert transfer.linear_transfer(noise[:60], labels[:60], noise[60:], labels[60:]) < 60


def test_separation_needs_classes_and_superclasses_to_compare() -> None:
    embeddings, labels = torch.eye(3), torch.tensor([0, 1, 2])
    assert class_structure.coarse_separation(
        embeddings, labels, torch.tensor([0, 0, 1])
    ) == pytest.approx(1.0)
    with pytest.raises(UserError, match=r"classes \[2\]"):
        class_structure.coarse_separation(
            embeddings, torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
        )
    for superclasses in ([0, 0, 0], [0, 1, 2]):
        with pytest.raises(UserError, match="two superclasses"):
            class_structure.coarse_separation(embeddings, labels, torch.tensor(superclasses))
