"""Images without labels: folders of them, and data sets whose labels are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import RepeatDataset
from mmpretrain.datasets.transforms import PackInputs, RandomResizedCrop
from PIL import Image

from cls_kd.data import Digits, Unlabeled, UnlabeledFolder
from cls_kd.data.unlabeled import is_labeled
from cls_kd.engine.loaders import build_dataloader
from cls_kd.errors import UserError

PIPELINE = [dict(type=LoadImageFromFile), dict(type=RandomResizedCrop, scale=8)]
PIPELINE.append(dict(type=PackInputs))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nested, of several sizes and endings, with files that are no images among them."""
    generator = np.random.default_rng(0)
    for name, size in {
        "b.JPG": (9, 12),
        "a/deep/er/c.png": (20, 8),
        "a/d.webp": (16, 16),
        "notes.txt": None,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            path.write_text("no image")
            continue
        Image.fromarray(generator.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path


def loader(dataset: object) -> object:
    sampler = dict(type="DefaultSampler", shuffle=False)
    return build_dataloader(dict(batch_size=3, num_workers=0, sampler=sampler, dataset=dataset))


def test_a_nested_folder_of_any_sizes(folder: Path) -> None:
    dataset = UnlabeledFolder(str(folder), pipeline=PIPELINE)
    names = [Path(dataset.get_data_info(index)["img_path"]).name for index in range(len(dataset))]
    assert names == ["d.webp", "c.png", "b.JPG"]
    (batch,) = loader(dataset)
    assert batch["inputs"].shape == (3, 3, 8, 8)
    assert [sample.sample_idx for sample in batch["data_samples"]] == [0, 1, 2]
    assert not any("gt_label" in sample for sample in batch["data_samples"])
    assert not is_labeled(RepeatDataset(dataset, times=2))


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_images(exists: bool, tmp_path: Path) -> None:
    place = tmp_path / "images"
    if exists:
        place.mkdir()
    words = "no file in .*images, or in a folder in it, ends with .bmp" if exists else "no folder"
    with pytest.raises(UserError, match=words):
        UnlabeledFolder(str(place), pipeline=PIPELINE)


def test_labels_are_left_out() -> None:
    digits = Digits("train", pipeline=[dict(type=PackInputs)])
    dataset = Unlabeled(digits)
    assert len(dataset) == 1135
    assert "gt_label" not in dataset[0]["data_samples"]
    assert "gt_label" not in dataset.get_data_info(0)
    assert "gt_label" in digits[0]["data_samples"]
    assert is_labeled(digits)
    assert not is_labeled(dataset)


def test_whole_batches_without_labels(cifar10_root: Path) -> None:
    from cls_kd.adapters.samples import labels_of
    from cls_kd.data import CIFAR10

    inner = CIFAR10(cifar10_root, checksum=False, pipeline=[dict(type=PackInputs)])
    batch = next(iter(loader(Unlabeled(inner))))
    samples = batch["data_samples"].to("cpu")
    assert samples.index.tolist() == [0, 1, 2]
    assert len(samples) == 3
    assert [sample.sample_idx for sample in samples] == [0, 1, 2]
    assert batch["inputs"].equal(next(iter(loader(inner)))["inputs"])
    for wanted in (samples, list(samples)):
        with pytest.raises(UserError, match="asks for the labels, and the batch has none"):
            labels_of(wanted)
