"""Random draws by (seed, epoch, index), and the identity of the data that they are made on."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.models import Mixup
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler

from cls_kd.data import CIFAR100, Digits, LabelSmoothing, RandomShift, SeededSamples
from cls_kd.data.content import content_digest
from cls_kd.data.replay import SeededBatchAugment, mixes_images, random_transforms
from cls_kd.signals import TrainingTime


def digits(**options: Any) -> SeededSamples:
    init_default_scope("cls_kd")
    pipeline = [RandomShift(pixels=2), PackInputs()]
    dataset = SeededSamples(Digits(pipeline=pipeline, labelled=20, **options))
    dataset.is_active = True
    return dataset


def images(batches: Any) -> dict[int, Tensor]:
    """Number of each sample to its image."""
    return {
        sample.draw: image
        for batch in batches
        for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
    }


def same(given: dict[int, Tensor], expected: dict[int, Tensor]) -> bool:
    assert given.keys() == expected.keys()
    return all(torch.equal(image, expected[index]) for index, image in given.items())


def test_samples_follow_seed_epoch_and_index_alone() -> None:
    """In any order, in batches of any size, in workers that stay from epoch to epoch."""
    dataset = digits()
    options: dict[str, Any] = dict(collate_fn=pseudo_collate)
    workers = DataLoader(
        dataset, 8, num_workers=1, persistent_workers=True, shuffle=True, **options
    )
    here = DataLoader(dataset, 5, sampler=RandomSampler(dataset), **options)
    drawn = []
    for seed, epoch in [(0, 0), (0, 1), (1, 0)]:
        dataset.begin_epoch(seed, epoch)
        drawn.append(images(workers))
        random.random(), np.random.rand(), torch.rand(1)  # draws of others change nothing
        assert same(images(here), drawn[-1])
        assert torch.equal(dataset[7]["inputs"], drawn[-1][7])
    assert not same(drawn[0], drawn[1])
    assert not same(drawn[0], drawn[2])


def test_the_generators_of_others_are_left_alone() -> None:
    dataset = digits()
    draws = []
    for fetch in (lambda: None, lambda: dataset[0], lambda: dataset.__getitems__([1, 2])):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        fetch()
        draws.append((random.random(), np.random.rand(), float(torch.rand(1))))
    assert draws[0] == draws[1] == draws[2]


def test_until_it_is_active_the_data_set_is_as_it_is(cifar100_root: Path) -> None:
    cifar = CIFAR100(str(cifar100_root), checksum=False, pipeline=[PackInputs()])
    assert random_transforms(cifar) == []
    whole = SeededSamples(cifar).__getitems__([3, 1])
    assert torch.equal(whole["inputs"], cifar.images[[3, 1]])
    assert random_transforms(digits()) == ["RandomShift"]


def test_mixup_follows_the_step() -> None:
    augment = SeededBatchAugment(Mixup(alpha=1.0))
    pixels, scores = torch.rand(8, 3, 4, 4), torch.eye(8)
    results = []
    for step in (0, 1, 0):
        augment.time = TrainingTime(seed=3, step=step)
        np.random.rand()
        results.append(augment(pixels, scores)[0])
    assert torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[1])


@pytest.mark.parametrize(
    ("augment", "mixes"),
    [
        (None, False),
        (LabelSmoothing(0.1), False),
        (LabelSmoothing(0.1, Mixup(alpha=1.0)), True),
        (Mixup(alpha=1.0), True),
    ],
)
def test_smoothed_labels_leave_images_alone(augment: Any, mixes: bool) -> None:
    assert mixes_images(augment) is mixes


def test_the_content_of_folders_follows_their_files(tmp_path: Path) -> None:
    for name in ("first/a/x.png", "first/b/y.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file)
    shutil.copytree(tmp_path / "first", tmp_path / "moved")  # with the times of change

    def digest(folder: str) -> str:
        return content_digest(CustomDataset(data_root=str(tmp_path / folder)))

    before = digest("first")
    assert digest("moved") == before
    os.utime(tmp_path / "moved/a/x.png", (1, 1))
    assert digest("moved") != before
    (tmp_path / "first/a/x.png").rename(tmp_path / "first/b/x.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "first/a/z.png")
    assert digest("first") != before


def test_the_content_of_images_in_memory_follows_pixels_labels_and_subset(
    cifar100_root: Path,
) -> None:
    def dataset(**options: Any) -> CIFAR100:
        return CIFAR100(str(cifar100_root), checksum=False, **options)

    before = content_digest(dataset())
    assert content_digest(dataset(pipeline=[PackInputs()])) == before
    assert content_digest(dataset(indices=299)) != before
    changed = dataset()
    changed.images[5, 0, 0, 0] ^= 1
    assert content_digest(changed) != before
    changed = dataset()
    changed.labels[5] += 1
    assert content_digest(changed) != before
    assert content_digest(Digits(labelled=40)) != content_digest(Digits(labelled=50))
