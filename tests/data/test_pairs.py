"""Another image of the same class: drawn evenly, augmented on its own, seen by the student."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import RepeatDataset, default_collate
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor

from cls_kd.data import BatchPreprocessor, ClassPairs, Digits, ImagesInMemory
from cls_kd.data.in_memory import collate
from cls_kd.engine.loaders import check_pairs, innermost
from cls_kd.errors import UserError
from cls_kd.losses import CSKDLoss, DistillLoss, TaskLoss
from cls_kd.registry import DATASETS
from tests.distillers import tiny

PACKED = [dict(type=PackInputs)]
CUTMIX = dict(batch_augments=dict(augments=dict(type="CutMix", alpha=1.0)))
CLASSES = [2, 0, 2, 1, 0, 2]  # class 1 has one sample


class Few(ImagesInMemory):
    """Each image is filled with its place."""

    SPLITS = ("train",)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        images = np.zeros((len(CLASSES), 3, 4, 4), np.uint8)
        images += np.arange(len(CLASSES), dtype=np.uint8)[:, None, None, None]
        return images, np.array(CLASSES)


class ManyLabels(BaseDataset):
    def load_data_list(self) -> list[dict[str, Any]]:
        return [dict(gt_label=[0, 1]), dict(gt_label=[1, 2])]

    def get_gt_labels(self) -> np.ndarray:
        return np.array([[0, 1], [1, 2]])


def place_of(image: Tensor) -> int:
    assert image.unique().numel() == 1
    return int(image.flatten()[0])


def test_partners_are_of_the_class_and_not_the_sample() -> None:
    pairs = ClassPairs(Few(pipeline=PACKED))
    np.random.seed(0)
    drawn = np.array([pairs.partners(range(len(CLASSES))) for _ in range(600)])
    members = {label: {i for i, c in enumerate(CLASSES) if c == label} for label in CLASSES}
    for place, label in enumerate(CLASSES):
        found, counts = np.unique(drawn[:, place], return_counts=True)
        assert set(found) == (members[label] - {place} or {place})
        assert abs(counts / 600 - 1 / len(found)).max() < 0.1


def test_items_and_whole_batches_are_the_same() -> None:
    pairs = ClassPairs(Few(pipeline=PACKED))
    np.random.seed(3)
    whole = pairs.__getitems__([5, 3, 0])
    np.random.seed(3)
    partners = pairs.partners([5, 3, 0])
    assert [place_of(one) for one in whole["inputs"]] == [5, 3, 0]
    assert [place_of(one) for one in whole["pair_inputs"]] == partners
    assert whole["data_samples"].labels.tolist() == [2, 1, 2]
    assert collate(whole) is whole
    item = pairs[4]
    assert place_of(item["inputs"]) == 4
    assert place_of(item["pair_inputs"]) == 1
    assert item["data_samples"].gt_label.tolist() == [0]


def test_of_an_ordinary_data_set() -> None:
    pairs = ClassPairs(dict(type=Digits, labelled=20, pipeline=PACKED))
    labels = pairs.dataset.get_gt_labels()
    images = [pairs.dataset[place]["inputs"] for place in range(20)]
    batch = default_collate(pairs.__getitems__(list(range(20))))
    for place in range(20):
        (other,) = np.flatnonzero(labels == labels[place])[
            np.flatnonzero(labels == labels[place]) != place
        ]
        assert torch.equal(batch["inputs"][place], images[place])
        assert torch.equal(batch["pair_inputs"][place], images[other])
        assert batch["data_samples"][place].sample_idx == place


def test_it_stands_for_its_data_set() -> None:
    repeated = RepeatDataset(
        dict(type=ClassPairs, dataset=dict(type=Digits, labelled=20, pipeline=PACKED)), times=3
    )
    assert len(repeated) == 60
    assert isinstance(innermost(repeated), Digits)
    assert repeated.metainfo["classes"][0] == "zero"
    assert repeated.get_data_info(25)["sample_idx"] == 5
    assert set(repeated[25]) == {"inputs", "data_samples", "pair_inputs"}
    lazy = DATASETS.build(
        dict(type="ClassPairs", dataset=dict(type="Digits", lazy_init=True), lazy_init=True)
    )
    assert lazy.metainfo["classes"][9] == "nine"
    assert not lazy.dataset._fully_initialized


def test_around_what_repeats() -> None:
    """Not recommended, but right: labels are asked one by one."""
    pairs = ClassPairs(RepeatDataset(dict(type=Digits, labelled=10, pipeline=PACKED), times=2))
    assert pairs.partners(range(20)) == [(place + 10) % 20 for place in range(20)]


def test_several_labels_a_sample_are_refused() -> None:
    with pytest.raises(UserError, match="one label a sample"):
        ClassPairs(ManyLabels(ann_file=""))


# --- to the student ---


@pytest.mark.parametrize("options", [{}, CUTMIX], ids=["labels", "mixed"])
@pytest.mark.parametrize("whole", [True, False])
def test_pairs_are_normalized_as_images_are(whole: bool, options: dict[str, Any]) -> None:
    colors = dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], to_rgb=True, num_classes=3)
    raw = collate(ClassPairs(Few(pipeline=PACKED)).__getitems__([0, 1, 2]))
    if not whole:
        raw["data_samples"] = list(raw["data_samples"])
    expected = ClsDataPreprocessor(**colors)({"inputs": raw["pair_inputs"]})["inputs"]
    ready = BatchPreprocessor(**colors, **options)(raw, training=True)
    assert torch.equal(ready["pair_inputs"], expected)


def test_pairs_are_augmented_with_draws_of_their_own() -> None:
    seen = []

    def augment(images: Tensor, index: Tensor) -> Tensor:
        seen.append(index.tolist())
        return images + 1

    raw = collate(ClassPairs(Few(pipeline=PACKED)).__getitems__([4, 1]))
    preprocessor = BatchPreprocessor(augment=augment)
    assert torch.equal(preprocessor(raw)["pair_inputs"], raw["pair_inputs"].float())
    assert seen == []
    ready = preprocessor(raw, training=True)
    assert torch.equal(ready["pair_inputs"], raw["pair_inputs"].float() + 1)
    assert seen == [[4, 1], [-5, -2]]


class Keeps(DistillLoss):
    def forward(
        self, student_logits: Tensor, pair_logits: Tensor, pair_inputs: Tensor, max_epochs: int
    ) -> Tensor:
        self.seen = student_logits, pair_logits, pair_inputs, max_epochs
        return student_logits.sum() * 0


def test_the_students_logits_of_the_pairs() -> None:
    """In the mode it is in, after its pass on the images, and without a gradient."""
    model = tiny.distiller({"keeps": Keeps()}).train()
    alone = tiny.distiller({"ce": dict(type=TaskLoss)}).train()
    alone.load_state_dict(model.state_dict())
    inputs, samples = tiny.batch(4)
    others = tiny.images(4, seed=1)
    model.time.max_epochs = 7
    model(inputs, samples, mode="loss", pair_inputs=others)
    logits, pair_logits, pair_inputs, max_epochs = model.losses["keeps"].seen
    assert torch.equal(alone.student(inputs), logits)
    assert torch.equal(alone.student(others), pair_logits)
    assert logits.requires_grad
    assert not pair_logits.requires_grad
    assert pair_inputs is others
    assert max_epochs == 7
    for name, value in alone.student.state_dict().items():  # the statistics of both passes
        assert torch.equal(value, model.student.state_dict()[name]), name


def test_the_student_sees_pairs_only_where_a_loss_asks() -> None:
    model = tiny.distiller({"ce": dict(type=TaskLoss)})
    passes = []
    model.student.register_forward_hook(lambda *_: passes.append(1))
    model(*tiny.batch(4), mode="loss", pair_inputs=tiny.images(4))
    assert len(passes) == 1
    assert "pair_logits" not in tiny.distiller({"cs": CSKDLoss()}).source.recorder.taps


def test_data_without_pairs_are_refused() -> None:
    model = tiny.distiller({"cs": CSKDLoss()})
    with pytest.raises(UserError, match="ClassPairs"):
        model(*tiny.batch(4), mode="loss")
    plain = Digits(pipeline=PACKED, labelled=20)
    with pytest.raises(UserError, match="ClassPairs"):
        check_pairs(plain, {"pair_logits"})
    check_pairs(plain, {"labels"})
    check_pairs(ClassPairs(plain), {"pair_logits"})
