"""Synthetic images in the formats of known data sets, for machines without the data."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES, CIFAR100_CATEGORIES
from PIL import Image

from cls_kd.data.cifar import CIFAR10, CIFAR100
from cls_kd.data.cifar100_superclasses import SUPERCLASS_NAMES, SUPERCLASSES
from cls_kd.errors import UserError

NOTE = "SYNTHETIC.txt"
"""A file that marks the images of a folder as synthetic."""

_WAVES = 6
_GROUP, _CLASS, _SAMPLE = 1.0, 0.4, 0.75
_CONTRAST, _PIXEL = 24.0, 12.0
_CHUNK = 5000


class Painter:
    """Draws images of classes in groups, the members of which look alike.

    An image is a sum of slow waves, six by six for each color: a two-dimensional cosine transform
    whose high frequencies weigh less. Its coefficients are those of its group, plus those of its
    class (0.4 times as large), plus its own (0.75 times), all normal. Group and class use waves
    that look the same from left and from right, so flipping an image keeps its class. The sum is
    scaled to a standard deviation of about 47 gray levels, moved to the middle gray, and
    overlaid with noise of 12 gray levels in every pixel.

    Args:
        groups: The group of each class.
        seed: Decides groups and classes, and with ``part`` all images.
    """

    def __init__(self, groups: Sequence[int], seed: int) -> None:
        self.groups, self.seed = np.asarray(groups), seed
        wave = np.arange(_WAVES)
        weight = 1 / (1 + wave[:, None] + wave[None, :])
        even = weight * (wave % 2 == 0)  # even waves are symmetric; the second axis is the width
        draw = np.random.default_rng([seed, 0])
        shape = (3, _WAVES, _WAVES)
        group = draw.normal(size=(self.groups.max() + 1, *shape)) * even * _GROUP
        class_waves = draw.normal(size=(len(self.groups), *shape)) * even * _CLASS
        self.prototypes = (group[self.groups] + class_waves).astype(np.float32)
        self.weight = (weight * _SAMPLE).astype(np.float32)

    def paint(self, labels: np.ndarray, size: int, part: int) -> Iterator[np.ndarray]:
        """Images (M, 3, size, size) uint8 of the classes ``labels``, some thousands at a time.

        Args:
            labels: (M,)
            size: Height and width.
            part: Another number gives other images of the same classes.
        """
        draw = np.random.default_rng([self.seed, 1 + part])
        basis = _cosines(size)  # (waves, size)
        for start in range(0, len(labels), _CHUNK):
            chosen = labels[start : start + _CHUNK]
            noise = draw.standard_normal((len(chosen), *self.weight.shape[-2:], 3), np.float32)
            waves = self.prototypes[chosen] + noise.transpose(0, 3, 1, 2) * self.weight
            images = basis.T @ waves @ basis
            images *= _CONTRAST
            images += 128
            images += _PIXEL * draw.standard_normal(images.shape, np.float32)
            yield np.clip(np.rint(images, out=images), 0, 255, out=images).astype(np.uint8)


def write_cifar10(root: Path, *, train: int, test: int, seed: int) -> None:
    """``cifar-10-batches-py`` in ``root``, as its original; the five training files are filled."""
    folder = _new(root / CIFAR10.FOLDER, train, test, seed, classes=10)
    painter = Painter(_ten_groups(), seed)
    labels = _shuffled_labels(train, 10, seed)
    images = _whole(painter, labels, part=0)
    for number, rows in enumerate(np.array_split(np.arange(train), 5), 1):
        name = f"training batch {number} of 5"
        _write_batch(folder / f"data_batch_{number}", name, images[rows], labels=labels[rows])
    labels = _shuffled_labels(test, 10, seed + 1)
    images = _whole(painter, labels, part=1)
    _write_batch(folder / "test_batch", "testing batch 1 of 1", images, labels=labels)
    _dump(folder / "batches.meta", {"label_names": list(CIFAR10_CATEGORIES), "num_vis": 3072})


def write_cifar100(root: Path, *, train: int, test: int, seed: int) -> None:
    """``cifar-100-python`` in ``root``, as its original, with its superclasses as groups."""
    folder = _new(root / CIFAR100.FOLDER, train, test, seed, classes=100)
    painter = Painter(SUPERCLASSES, seed)
    for part, (split, count) in enumerate((("train", train), ("test", test))):
        labels = _shuffled_labels(count, 100, seed + part)
        coarse = np.asarray(SUPERCLASSES)[labels]
        images = _whole(painter, labels, part)
        name = f"{split}ing batch 1 of 1"
        _write_batch(folder / split, name, images, fine_labels=labels, coarse_labels=coarse)
    names = {
        "fine_label_names": list(CIFAR100_CATEGORIES),
        "coarse_label_names": list(SUPERCLASS_NAMES),
    }
    _dump(folder / "meta", names)


def write_cinic10(root: Path, *, train: int, test: int, seed: int) -> None:
    """Folders ``train``, ``valid`` (as large as train) and ``test`` of PNG files in ``root``."""
    _new(root, train, test, seed, classes=10)
    painter = Painter(_ten_groups(), seed)
    for part, (split, count) in enumerate((("train", train), ("valid", train), ("test", test))):
        labels = _shuffled_labels(count, 10, seed + part)
        _write_files(root / split, painter, labels, CIFAR10_CATEGORIES, 32, part, "png")


def write_folders(
    root: Path, *, train: int, test: int, seed: int, classes: int = 100, size: int = 64
) -> None:
    """``train`` and ``val`` with a folder of JPEG files a class in ``root``, as ImageNet's.

    Groups are five consecutive classes.
    """
    _new(root, train, test, seed, classes)
    painter = Painter([label // 5 for label in range(classes)], seed)
    names = [f"n{label:08d}" for label in range(classes)]
    for part, (split, count) in enumerate((("train", train), ("val", test))):
        labels = _shuffled_labels(count, classes, seed + part)
        _write_files(root / split, painter, labels, names, size, part, "jpg")


def _ten_groups() -> list[int]:
    """Vehicles and animals."""
    vehicles = {"airplane", "automobile", "ship", "truck"}
    return [int(name not in vehicles) for name in CIFAR10_CATEGORIES]


def _cosines(size: int) -> np.ndarray:
    positions = (np.arange(size) + 0.5) / size
    basis = np.cos(np.pi * np.arange(_WAVES)[:, None] * positions) * np.sqrt(2)
    basis[0] = 1
    return basis.astype(np.float32)


def _shuffled_labels(count: int, classes: int, seed: int) -> np.ndarray:
    """Balanced labels (counts differ by one at most), shuffled."""
    return np.random.default_rng([seed, 2**20]).permutation(np.arange(count) % classes)


def _whole(painter: Painter, labels: np.ndarray, part: int) -> np.ndarray:
    return np.concatenate(
        [images.reshape(len(images), -1) for images in painter.paint(labels, 32, part)]
    )


def _write_batch(file: Path, name: str, images: np.ndarray, **labels: np.ndarray) -> None:
    (first, *_) = labels.values()
    values = {
        "data": images,
        "batch_label": name,
        "filenames": [f"synthetic_{label:03d}_{n:06d}.png" for n, label in enumerate(first)],
        **{key: value.tolist() for key, value in labels.items()},
    }
    _dump(file, values)


def _dump(file: Path, values: dict[str, Any]) -> None:
    with file.open("wb") as opened:
        pickle.dump(values, opened, protocol=2)


def _write_files(
    root: Path,
    painter: Painter,
    labels: np.ndarray,
    names: Sequence[str],
    size: int,
    part: int,
    kind: str,
) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
    index = 0
    for images in painter.paint(labels, size, part):
        for image in images.transpose(0, 2, 3, 1):
            folder = root / names[labels[index]]
            Image.fromarray(np.ascontiguousarray(image)).save(
                folder / f"synthetic_{index:06d}.{kind}"
            )
            index += 1


def _new(folder: Path, train: int, test: int, seed: int, classes: int) -> Path:
    """The folder, which must not hold anything: real data are never overwritten."""
    for count in (train, test):
        if count < classes:
            raise UserError(f"{count} images are too few for {classes} classes, of one each.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already. Nothing is overwritten: name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTE).write_text(
        f"Synthetic images, by tools/make_synthetic.py: {classes} classes, {train} images to "
        f"train, {test} to test, seed {seed}.\n"
    )
    return folder
