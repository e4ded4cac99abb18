"""Images that lie on the device. The meta device stands for a GPU: it has shapes and no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import PackInputs, RandomFlip

from cls_kd.data import CIFAR100, BatchPreprocessor, RandomCropFlip
from cls_kd.engine import DistillRunner
from cls_kd.errors import UserError
from cls_kd.signals import TrainingTime


def loader(root: Path, workers: int = 0, device: str = "meta") -> Any:
    init_default_scope("cls_kd")
    dataset = dict(
        type=CIFAR100,
        data_root=str(root),
        checksum=False,
        pipeline=[dict(type=PackInputs)],
        device=device,
    )
    return DistillRunner.build_dataloader(
        dict(
            batch_size=8,
            num_workers=workers,
            pin_memory=True,
            sampler=dict(type=DefaultSampler, shuffle=False),
            dataset=dataset,
        )
    )


def test_batches_are_made_on_the_device(cifar100_root: Path) -> None:
    made = loader(cifar100_root)
    assert not made.pin_memory
    batch = next(iter(made))
    samples = batch["data_samples"]
    assert {batch["inputs"].device.type, samples.labels.device.type, samples.index.device.type} == {
        "meta"
    }
    preprocessor = BatchPreprocessor(mean=[1.0] * 3, std=[2.0] * 3, augment=RandomCropFlip()).to(
        "meta"
    )
    preprocessor.follow(TrainingTime())
    ready = preprocessor(batch, training=True)
    assert ready["inputs"].device.type == "meta"
    assert ready["inputs"].shape == (8, 3, 32, 32)


def test_the_labels_of_all_are_known_to_the_host(cifar100_root: Path) -> None:
    labels = loader(cifar100_root, device="cpu").dataset.get_gt_labels()
    assert len(labels) == len(loader(cifar100_root, device="cpu").dataset)


def test_workers_and_transforms_of_single_images_are_refused(cifar100_root: Path) -> None:
    with pytest.raises(UserError, match=r"device='meta'\), which worker processes cannot read"):
        loader(cifar100_root, workers=1)
    pipeline = [RandomFlip(0.5), PackInputs()]
    with pytest.raises(UserError, match="transforms of single images run on the CPU"):
        CIFAR100(str(cifar100_root), checksum=False, pipeline=pipeline, device="meta")
    assert CIFAR100(str(cifar100_root), checksum=False).device == torch.device("cpu")
