"""Measures that compare two networks or several terms, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from cls_kd.evaluation.agreement import accuracy, agreement, class_counts
from cls_kd.evaluation.gradients import gradient_cosines, gradient_norm, term_gradients
from cls_kd.evaluation.similarity import LinearCKA
from cls_kd.evaluation.temperatures import confidence_at, normalized_entropy

# --- linear CKA ---


def features(samples: int, size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, size, generator=generator, dtype=torch.float64)


def cka(first: torch.Tensor, second: torch.Tensor, batch: int | None = None) -> float:
    measure = LinearCKA()
    size = batch or len(first)
    for one, other in zip(first.split(size), second.split(size), strict=True):
        measure.update([one], [other])
    return float(measure.compute())


def test_cka_is_one_up_to_rotation_scale_and_shift() -> None:
    maps = features(40, 12)
    rotation = torch.linalg.qr(features(12, 12, 1)).Q
    assert cka(maps, maps) == pytest.approx(1)
    assert cka(maps.view(40, 3, 2, 2), 7 * maps @ rotation + 3, batch=10) == pytest.approx(1)


def test_cka_over_many_images_is_the_closed_form() -> None:
    first = features(1000, 6)
    second = torch.cat([first[:, :2], features(1000, 3, 2)], dim=1)
    x, y = first - first.mean(0), second - second.mean(0)
    exact = (y.T @ x).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    assert cka(first, second) == pytest.approx(float(exact), abs=2e-2)
    assert cka(first, second, batch=50) == pytest.approx(float(exact), abs=2e-2)
    assert cka(first, features(1000, 6, 3)) == pytest.approx(0, abs=2e-2)


def test_cka_needs_four_images_and_features_that_vary() -> None:
    assert math.isnan(cka(features(3, 5), features(3, 5)))
    assert math.isnan(cka(torch.ones(8, 5), features(8, 5)))


def test_cka_of_all_pairs_of_stages() -> None:
    first, second = features(50, 4), features(50, 4, 1)
    measure = LinearCKA()
    measure.update([first, second], [second, first, first])
    table = measure.compute()
    assert table.shape == (2, 3)
    assert table[0, 1] == table[0, 2] == pytest.approx(1)
    assert table[1, 0] == pytest.approx(1)
    assert abs(table[0, 0]) < 0.2


# --- agreement ---


def test_agreement_and_its_classes() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1])
    first = torch.eye(3)[[0, 0, 1, 1, 2]]
    second = torch.eye(3)[[0, 1, 1, 2, 2]]
    assert accuracy(first, labels) == pytest.approx(80)
    assert agreement(first, second) == pytest.approx(60)
    images, differ = class_counts(first, second, labels)
    assert images.tolist() == [2, 3, 0]
    assert differ.tolist() == [1, 1, 0]


# --- confidence ---


def test_softness_of_uniform_and_of_certain_logits() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    uniform = confidence_at(torch.zeros(4, 4), labels, 2.0)
    assert uniform.entropy == pytest.approx(math.log(4))
    assert uniform.normalized_entropy == pytest.approx(1)
    assert uniform.beyond_top == pytest.approx(0.75)
    certain = confidence_at(100 * torch.eye(4), labels, 1.0)
    assert certain.normalized_entropy == pytest.approx(0, abs=1e-12)
    assert certain.calibration_error == pytest.approx(0, abs=1e-6)
    softened = normalized_entropy(100 * torch.eye(4), 100.0)
    assert softened == pytest.approx(confidence_at(torch.eye(4), labels, 1.0).normalized_entropy)


# --- gradients of terms ---


def test_gradients_of_terms_by_several_sources() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    y = torch.tensor([2.0], requires_grad=True)
    terms = {
        "square": x.square().sum() / 2,
        "negative": -x.square().sum() / 2,
        "other": 5 * y.sum(),
        "constant": torch.tensor(1.0),
    }
    gradients = term_gradients(terms, [x, y])
    norms = {name: gradient_norm(gradient) for name, gradient in gradients.items()}
    assert norms == pytest.approx({"square": 5, "negative": 5, "other": 5, "constant": 0})
    assert gradients["other"][0] is None
    cosines = gradient_cosines(gradients)
    assert cosines["square", "negative"] == pytest.approx(-1)
    assert cosines["square", "other"] == 0
    assert not any("constant" in pair for pair in cosines)
