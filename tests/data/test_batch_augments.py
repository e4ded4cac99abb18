"""Label smoothing: its mathematics, and its way through mmpretrain's data preprocessor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmpretrain.models import ClsDataPreprocessor, Mixup
from mmpretrain.structures import DataSample

from cls_kd.data import LabelSmoothing
from cls_kd.errors import UserError
from cls_kd.registry import BATCH_AUGMENTS, MODELS


def batch(size: int = 6) -> dict[str, Any]:
    images = torch.randint(0, 256, (size, 1, 8, 8), dtype=torch.uint8)
    samples = [DataSample().set_gt_label(label % 10) for label in range(size)]
    return {"inputs": list(images), "data_samples": samples}


def scores_through(augment: dict[str, Any], training: bool = True) -> torch.Tensor:
    preprocessor = MODELS.build(
        dict(
            type=ClsDataPreprocessor,
            mean=[0.0],
            std=[1.0],
            num_classes=10,
            batch_augments=dict(augments=[augment]),
        )
    )
    samples = preprocessor(batch(), training=training)["data_samples"]
    return torch.stack([sample.gt_score for sample in samples])


def test_the_mass_goes_to_all_classes() -> None:
    inputs = torch.zeros(2, 1, 8, 8)
    same, scores = LabelSmoothing(0.1)(inputs, F.one_hot(torch.tensor([0, 3]), 4))

    assert same is inputs
    expected = torch.tensor([[0.925, 0.025, 0.025, 0.025], [0.025, 0.025, 0.025, 0.925]])
    assert torch.allclose(scores, expected)


def test_cross_entropy_agrees_with_torch() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 10), torch.randint(0, 10, (5,))
    _, scores = LabelSmoothing(0.2)(logits, F.one_hot(labels, 10))

    smoothed = F.cross_entropy(logits, labels, label_smoothing=0.2)
    assert torch.allclose(F.cross_entropy(logits, scores), smoothed)


def test_another_augmentation_comes_first() -> None:
    inputs, scores = torch.rand(4, 1, 8, 8), torch.eye(4)
    flip = LabelSmoothing(0.4, augment=lambda x, y: (x.flip(0), y.flip(0)))
    flipped, smoothed = flip(inputs, scores)

    assert torch.equal(flipped, inputs.flip(0))
    assert torch.allclose(smoothed, 0.6 * scores.flip(0) + 0.1)


@pytest.fixture
def scope() -> Iterator[None]:
    """As a runner sets it from ``default_scope`` of a config."""
    with DefaultScope.overwrite_default_scope("cls_kd"):
        yield


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("kind", ["LabelSmoothing", "cls_kd.LabelSmoothing", LabelSmoothing])
def test_through_the_preprocessor(kind: Any) -> None:
    scores = scores_through(dict(type=kind, epsilon=0.1))

    expected = 0.9 * F.one_hot(torch.arange(6), 10) + 0.01
    assert torch.allclose(scores, expected)


@pytest.mark.parametrize("inner", ["Mixup", "mmpretrain.Mixup", Mixup])
def test_through_the_preprocessor_with_mixup_inside(inner: Any) -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # mmpretrain draws the share of a mixture from NumPy
    augment = dict(type=LabelSmoothing, epsilon=0.1, augment=dict(type=inner, alpha=1.0))
    scores = scores_through(augment)

    assert torch.allclose(scores.sum(1), torch.ones(6))
    assert scores.min().item() == pytest.approx(0.01)
    assert scores.max(1).values.min() < 0.9  # at least one image is a mixture


def test_evaluation_keeps_hard_labels() -> None:
    scores = scores_through(dict(type=LabelSmoothing), training=False)

    assert torch.equal(scores, F.one_hot(torch.arange(6), 10))


@pytest.mark.parametrize("epsilon", [-0.1, 1.1])
def test_an_impossible_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(UserError, match="epsilon"):
        BATCH_AUGMENTS.build(dict(type="LabelSmoothing", epsilon=epsilon))
