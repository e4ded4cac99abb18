"""The split is fixed, stratified and real; items are what mmpretrain's pipeline expects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.data import Digits, RandomShift
from cls_kd.data.digits import _POSITIONS, _read, choose
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS, MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / "configs"
COUNTS = {"train": 1135, "val": 223, "test": 439, "trainval": 1358}


def places(split: str, labelled: float | int | None = None) -> np.ndarray:
    return choose(_read()[1], _POSITIONS[split], labelled)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def test_the_images_are_the_real_ones() -> None:
    images, labels = _read()

    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert digest(images) == "b41ca9fd335466ee"
    assert digest(labels.astype(np.int64)) == "a3c91c262eddcf7b"


@pytest.mark.parametrize(
    ("split", "expected"),
    [("train", "650036b7e12579c0"), ("val", "3e33200413f81c81"), ("test", "b8cf5fb96349bbc9")],
)
def test_the_split_never_changes(split: str, expected: str) -> None:
    assert digest(places(split).astype(np.int64)) == expected
    assert len(places(split)) == COUNTS[split]


def test_the_parts_are_disjoint_and_cover_everything() -> None:
    parts = [set(places(split)) for split in ("train", "val", "test")]

    assert sum(map(len, parts)) == len(set.union(*parts)) == 1797
    assert set(places("trainval")) == parts[0] | parts[1]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_each_part_is_stratified(split: str) -> None:
    labels = _read()[1]
    shares = np.bincount(labels[places(split)]) / np.bincount(labels)

    assert np.ptp(shares) < 0.03


@pytest.mark.parametrize("labelled", [100, 107, 300, 0.1, 0.25])
def test_a_labeled_subset_is_stratified_and_from_its_part(labelled: float) -> None:
    chosen = places("train", labelled)
    counts = np.bincount(_read()[1][chosen])

    expected = labelled if isinstance(labelled, int) else labelled * COUNTS["train"]
    assert len(set(chosen)) == len(chosen) == pytest.approx(expected, abs=5 * (labelled < 1))
    assert np.ptp(counts) <= (1 if isinstance(labelled, int) else 2)
    assert set(chosen) <= set(places("train"))


def test_labeled_subsets_are_nested_and_fixed() -> None:
    assert set(places("train", 100)) < set(places("train", 200)) < set(places("train", 0.5))
    assert digest(places("train", 100).astype(np.int64)) == "94047226172fd981"


@pytest.mark.parametrize("labelled", [0, 9, -20, 1200, 0.0, 1.5])
def test_a_subset_that_cannot_be_is_refused(labelled: float) -> None:
    with pytest.raises(UserError, match="labelled="):
        Digits("train", labelled=labelled)


def test_an_unknown_split_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'trian'.*'train'.*Known: test, train, trainval, val"):
        Digits("trian")  # type: ignore[arg-type]


def test_only_training_parts_can_be_reduced() -> None:
    with pytest.raises(UserError, match="the val split is whole"):
        Digits("val", labelled=100)


def test_a_packed_item() -> None:
    digits = DATASETS.build(dict(type="Digits", split="val", pipeline=[dict(type=PackInputs)]))
    item = digits[5]

    assert item["inputs"].shape == (1, 8, 8)
    assert item["inputs"].dtype == torch.uint8
    assert item["data_samples"].sample_idx == 5
    assert item["data_samples"].gt_label.tolist() == [digits.get_gt_labels()[5]]
    image = _read()[0][places("val")[5]]
    assert np.array_equal(item["inputs"].numpy(), image.transpose(2, 0, 1))


def test_writing_into_an_item_leaves_the_data_as_they_were() -> None:
    digits = Digits("val", pipeline=[dict(type=PackInputs)])
    before = digits[0]["inputs"].clone()
    digits[0]["inputs"].zero_()

    assert torch.equal(digits[0]["inputs"], before)


def test_labels_classes_and_indices() -> None:
    digits = Digits("train", indices=20)

    assert len(digits) == 20
    assert np.array_equal(digits.get_gt_labels(), _read()[1][places("train")[:20]])
    assert digits.metainfo["classes"][9] == "nine"
    assert "train" in repr(digits)


def test_only_some_digits_are_classes_of_their_own() -> None:
    every, some = Digits("train"), Digits("train", only=[7, 5])

    assert some.metainfo["classes"] == ("seven", "five")
    assert every.metainfo["classes"][:2] == ("zero", "one")
    expected = [one for one in every if one["gt_label"] in (7, 5)]
    assert len(some) == len(expected)
    for one, other in zip(some, expected, strict=True):
        assert np.array_equal(one["img"], other["img"])
        assert (7, 5)[one["gt_label"]] == other["gt_label"]
    few = Digits("train", only=[5, 6, 7, 8, 9], labelled=52)
    assert np.bincount(few.get_gt_labels()).tolist() == [11, 11, 10, 10, 10]


@pytest.mark.parametrize("only", [[], [3], [3, 3], [3, 3, 4], [9, 10], [-1, 2]])
def test_digits_that_are_no_classes_are_refused(only: list[int]) -> None:
    with pytest.raises(UserError, match="only="):
        Digits("train", only=only)


def test_a_shift_moves_and_fills_with_zeros() -> None:
    image = np.arange(1, 65, dtype=np.uint8).reshape(8, 8, 1)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    crops = {padded[i : i + 8, j : j + 8].tobytes() for i in range(3) for j in range(3)}
    shift = TRANSFORMS.build(dict(type="RandomShift", pixels=1))
    seen = {shift({"img": image})["img"].tobytes() for _ in range(300)}

    assert seen == crops
    assert image[0, 0, 0] == 1
    assert np.array_equal(RandomShift(0)({"img": image})["img"], image)
    with pytest.raises(UserError, match="pixels=-1"):
        RandomShift(-1)


def test_the_config_gives_normalized_batches() -> None:
    config = Config.fromfile(CONFIGS / "_base_/datasets/digits.py")
    preprocessor = MODELS.build(config.data_preprocessor)
    sizes = {}
    for split in ("train", "val", "test"):
        loader = Runner.build_dataloader(config[f"{split}_dataloader"], seed=0)
        batch = preprocessor(next(iter(loader)), training=split == "train")
        sizes[split] = len(loader.dataset)
        assert batch["inputs"].shape[1:] == (1, 8, 8)

    assert sizes == {split: COUNTS[split] for split in sizes}
    train = np.stack([item["img"] for item in Digits("train")])
    assert config.data_preprocessor.mean == pytest.approx([train.mean()], abs=1e-3)
    assert config.data_preprocessor.std == pytest.approx([train.std()], abs=1e-3)
