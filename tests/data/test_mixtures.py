"""Mixtures of images as a second view: made by the data, seen by the student in one pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.dataset import default_collate
from torch import Tensor

import cls_kd
from cls_kd.data import BatchPreprocessor, MixtureViews, RandomCropFlip, mixture_view
from cls_kd.engine.loaders import check_pairs
from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss
from tests.core.test_distiller import SHAPE, batch, network
from tests.data.test_views import Noisy, Whole
from tests.distillers import tiny


class Keeps(DistillLoss):
    def forward(self, view_logits: Tensor, permutation: Tensor, mix: float) -> Tensor:
        self.seen = view_logits, permutation, mix
        return view_logits.sum()


def loaded(kind: type[Noisy], alpha: float = 0.4) -> dict[str, Any]:
    batch = MixtureViews(kind(), alpha=alpha).__getitems__([4, 1, 2, 5])
    whole = batch if isinstance(batch, dict) else default_collate(batch)
    for place, sample in enumerate(whole["data_samples"]):
        sample.set_field(place, "sample_idx", field_type="metainfo")
    return whole


@pytest.mark.parametrize("kind", [Noisy, Whole])
def test_the_second_view_is_mixed_of_normalized_and_augmented_images(kind: type[Noisy]) -> None:
    torch.manual_seed(0)
    colors = dict(mean=[1.0, 2.0, 3.0], std=[2.0, 3.0, 4.0])
    preprocessor = BatchPreprocessor(**colors, augment=RandomCropFlip(padding=1))
    ready = preprocessor(loaded(kind), training=True)
    mix, permutation = ready["mixture"]
    inputs = ready["inputs"]
    assert permutation.sort().values.tolist() == [0, 1, 2, 3]
    assert 0 < mix < 1
    expected = torch.stack(
        [
            mix * image + (1 - mix) * inputs[other]
            for image, other in zip(inputs, permutation, strict=True)
        ]
    )
    torch.testing.assert_close(ready["view_inputs"], torch.stack([inputs, expected]))


def test_weights_are_drawn_from_a_beta_distribution() -> None:
    torch.manual_seed(0)
    images = torch.zeros(2, 3, 4, 4)
    for alpha in (0.4, 2.0):
        draws = torch.tensor([mixture_view(images, alpha)[1].mix for _ in range(2000)])
        assert draws.mean().item() == pytest.approx(0.5, abs=0.03)
        assert draws.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
    with pytest.raises(UserError, match="alpha must be positive, not 0"):
        MixtureViews(Noisy(), alpha=0)


def test_the_student_sees_both_views_in_one_pass_and_losses_how_they_were_mixed() -> None:
    images, labels = batch(4)
    views, mixture = mixture_view(images, 0.4)
    model = cls_kd.Distiller(network(1), {"keeps": Keeps()}, input_shape=SHAPE)
    passes: list[int] = []
    model.student.register_forward_hook(lambda *args: passes.append(len(args[1][0])))
    model.loss(images, labels, view_inputs=views, mixture=mixture)
    assert passes == [8]
    logits, permutation, mix = model.losses["keeps"].seen
    torch.testing.assert_close(logits[1], model.student(views[1]))
    assert permutation.tolist() == mixture.permutation.tolist()
    assert mix == mixture.mix
    with pytest.raises(UserError, match="put MixtureViews around the data set"):
        model.loss(images, labels, view_inputs=views)


def test_data_without_mixtures_are_refused() -> None:
    signals = ["view_logits", "mix", "permutation"]
    check_pairs(MixtureViews(Noisy()), signals)
    with pytest.raises(UserError, match="put MixtureViews around the data set"):
        check_pairs(Noisy(), signals)


def test_mixed_images_are_not_mixed_again() -> None:
    augments = dict(augments=[dict(type="Mixup", alpha=1.0)])
    preprocessor = BatchPreprocessor(num_classes=10, batch_augments=augments)
    raw = {**tiny.data(4), "mixture_alpha": 0.4}
    with pytest.raises(UserError, match="batch_augments mix the images, and not their views"):
        preprocessor(raw, training=True)
