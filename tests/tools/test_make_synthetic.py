"""Synthetic data: in the real format, learnable, harder in a group, and never over real files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cls_kd.data import synthetic
from cls_kd.data.cifar import CIFAR10
from cls_kd.data.cifar100_superclasses import SUPERCLASSES
from cls_kd.data.synthetic import Painter
from cls_kd.registry import DATASETS
from tests.tools.driver import call, contents

TOOL = "make_synthetic.py"


def painted(labels: np.ndarray, part: int, seed: int = 0) -> np.ndarray:
    painter = Painter(SUPERCLASSES, seed)
    images = np.concatenate(list(painter.paint(labels, 32, part)))
    assert images.dtype == np.uint8
    return images.reshape(len(labels), -1).astype(np.float32)


@pytest.fixture(scope="module")
def probe() -> tuple[np.ndarray, np.ndarray]:
    """Labels of test images, and the classes whose mean training image is nearest."""
    train, test = np.arange(4000) % 100, np.arange(1000) % 100
    images = painted(train, 0)
    centres = np.stack([images[train == label].mean(0) for label in range(100)])
    others = painted(test, 1)
    distances = (centres**2).sum(1) - 2 * others @ centres.T
    return test, distances.argmin(1)


def test_it_can_be_learned_and_is_not_trivial(probe: tuple[np.ndarray, np.ndarray]) -> None:
    test, found = probe
    assert 0.4 < (test == found).mean() < 0.8


def test_members_of_a_group_look_alike(probe: tuple[np.ndarray, np.ndarray]) -> None:
    test, found = probe
    groups = np.asarray(SUPERCLASSES)
    wrong = test != found
    within = (groups[test] == groups[found])[wrong].mean()
    assert within > 0.8  # by chance 4 of 99


def test_the_best_classifier_is_far_above_the_nearest_mean(
    probe: tuple[np.ndarray, np.ndarray],
) -> None:
    """The true means, in waves divided by their deviation: room for networks to differ in."""
    labels = np.arange(1000) % 100
    painter = Painter(SUPERCLASSES, 0)
    basis = synthetic._cosines(32)
    images = painted(labels, 1).reshape(-1, 3, 32, 32)
    waves = basis @ ((images - 128) / synthetic._CONTRAST) @ basis.T / 32**2
    pixel = synthetic._PIXEL / synthetic._CONTRAST / 32
    scale = np.sqrt(painter.weight**2 + pixel**2)
    points, means = (waves / scale).reshape(1000, -1), (painter.prototypes / scale).reshape(100, -1)
    nearest = ((means**2).sum(1) - 2 * points @ means.T).argmin(1)
    assert (nearest == labels).mean() > 0.96
    test, guessed = probe
    assert (nearest == labels).mean() - (test == guessed).mean() > 0.2
    groups = np.asarray(SUPERCLASSES)
    assert (groups[nearest] == groups[labels]).all()


def test_a_flipped_image_keeps_its_class() -> None:
    labels = np.arange(4000) % 100
    images = painted(labels, 0).reshape(-1, 3, 32, 32)
    centres = np.stack([images[labels == label].mean(0) for label in range(100)])
    own = np.abs(centres - centres[..., ::-1]).mean()
    between = np.abs(centres[:, None] - centres[None, :]).mean()
    assert own < 0.3 * between


def test_colours_fill_the_range_and_seldom_clip() -> None:
    images = painted(np.arange(1000) % 100, 0)
    assert 35 < images.std() < 65
    assert abs(images.mean() - 128) < 10
    assert ((images == 0) | (images == 255)).mean() < 0.03


def test_seed_and_part_decide() -> None:
    labels = np.arange(100)
    assert np.array_equal(painted(labels, 0), painted(labels, 0))
    assert not np.array_equal(painted(labels, 0), painted(labels, 1))
    assert not np.array_equal(painted(labels, 0), painted(labels, 0, seed=1))


def test_cifar100_is_in_the_original_format(tmp_path: Path) -> None:
    call(TOOL, "cifar100", tmp_path, "--train", 250, "--test", 100, "--seed", 4).succeeded()
    folder = tmp_path / "cifar-100-python"
    assert {file.name for file in folder.iterdir()} == {"train", "test", "meta", "SYNTHETIC.txt"}
    # As torchvision and mmpretrain read it.
    values = pickle.loads((folder / "train").read_bytes(), encoding="latin1")
    assert set(values) == {"data", "fine_labels", "coarse_labels", "filenames", "batch_label"}
    assert values["data"].shape == (250, 3072)
    assert values["data"].dtype == np.uint8
    assert {type(label) for label in values["fine_labels"]} == {int}
    assert np.ptp(np.bincount(values["fine_labels"], minlength=100)) == 1
    meta = pickle.loads((folder / "meta").read_bytes(), encoding="latin1")
    assert [len(names) for names in meta.values()] == [100, 20]
    again = tmp_path / "again"
    call(TOOL, "cifar100", again, "--train", 250, "--test", 100, "--seed", 4).succeeded()
    assert contents(again / "cifar-100-python") == contents(folder)


@pytest.mark.parametrize(
    ("kind", "options", "dataset", "counts"),
    [
        ("cifar100", [], dict(type="CIFAR100", checksum=False), {"train": 120, "test": 100}),
        ("cifar10", [], dict(type="CIFAR10", checksum=False), {"train": 120, "test": 100}),
        ("cinic10", [], dict(type="CINIC10"), {"train": 120, "valid": 120, "test": 100}),
        (
            "folders",
            ["--classes", 12, "--size", 40],
            dict(type="CustomDataset", with_label=True),
            {"train": 120, "val": 100},
        ),
    ],
)
def test_every_format_is_read_back(
    kind: str, options: list[object], dataset: dict, counts: dict[str, int], tmp_path: Path
) -> None:
    done = call(TOOL, kind, tmp_path, "--train", 120, "--test", 100, *options).succeeded()
    assert ("checksum=False" in done.out) == (kind in ("cifar10", "cifar100"))
    for part, count in counts.items():
        where = {"data_prefix": part} if kind == "folders" else {"split": part}
        built = DATASETS.build({**dataset, "data_root": str(tmp_path), **where})
        assert len(built) == count
        shares = np.bincount(built.get_gt_labels())
        assert np.ptp(shares) <= 1
        assert len(shares) == {"cifar100": 100, "folders": 12}.get(kind, 10)
    if kind == "folders":
        assert Image.open(next(tmp_path.rglob("*.jpg"))).size == (40, 40)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / CIFAR10.FOLDER
    folder.mkdir()
    (folder / "data_batch_1").write_text("real")
    before = contents(tmp_path)
    call(TOOL, "cifar10", tmp_path).refused("there already", str(folder))
    (tmp_path / "cinic").mkdir()
    (tmp_path / "cinic" / "train").mkdir()
    call(TOOL, "cinic10", tmp_path / "cinic").refused("there already")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["cifar100", "x", "--train", 99], "99 images are too few for 100 classes"),
        (["cifar100", "x", "--classes", 5], "--classes is for folders"),
        (["cifar", "x"], "invalid choice"),
        (["folders", "x", "--size", 0], "must be positive"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], word: str, tmp_path: Path) -> None:
    place = [tmp_path / "x" if one == "x" else one for one in arguments]
    call(TOOL, *place).refused(word)
    assert not list(tmp_path.iterdir())


def test_folders_of_1000_classes_are_imagenets(tmp_path: Path) -> None:
    options = ["--classes", 1000, "--train", 1000, "--test", 1000, "--size", 8]
    call(TOOL, "folders", tmp_path, *options).succeeded()
    for split in ("train", "val"):
        built = DATASETS.build(dict(type="ImageNet", data_root=str(tmp_path), split=split))
        assert sorted(built.get_gt_labels()) == list(range(1000))
