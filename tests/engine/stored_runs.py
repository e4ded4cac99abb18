"""Runs whose teacher's outputs are stored: of images in memory with crops, and of single digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from cls_kd.engine import train
from tests.distillers import tiny
from tests.engine import tiny_runs

CROPS = {
    "data_preprocessor": {
        "type": "cls_kd.data.BatchPreprocessor",
        "mean": [129.3, 124.1, 112.4],
        "std": [68.2, 65.4, 70.4],
        "augment": {"type": "cls_kd.data.RandomCropFlip", "padding": 1},
    },
}
NETWORK = {
    "type": "mmpretrain.models.ImageClassifier",
    "backbone": {"type": "cls_kd.models.DigitsCNN", "in_channels": 3, "widths": (4, 4, 8)},
    "neck": {"type": "mmpretrain.models.GlobalAveragePooling"},
    "head": {"type": "mmpretrain.models.LinearClsHead", "num_classes": 100, "in_channels": 8},
}
IMAGES = 150
BATCH = 32


def digits(teacher: Path, store: dict[str, Any] | None, **options: Any) -> Config:
    """One run on 100 digits, whose shifts are drawn image by image."""
    network = {"network": tiny_runs.TEACHER, "weights": str(teacher)}
    stored = {} if store is None else {"store": store}
    return tiny_runs.config(teacher, model__teacher={**network, **stored}, **options)


def weights_of(network: dict[str, Any], path: Path) -> Path:
    """A file of weights, always the same."""
    torch.manual_seed(7)
    torch.save({"state_dict": tiny.build(network).state_dict()}, path)
    return path


def crops(
    root: Path, teacher: Path, store: dict[str, Any] | None, epochs: int = 2, **options: Any
) -> Config:
    """One run on images of CIFAR-100's format with 18 outcomes each."""
    loader = {
        "type": "cls_kd.data.CIFAR100",
        "data_root": str(root),
        "checksum": False,
        "pipeline": [{"type": "mmpretrain.datasets.transforms.PackInputs"}],
    }
    changes: dict[str, Any] = {
        "train_dataloader.batch_size": BATCH,
        "train_dataloader.dataset": {**loader, "indices": IMAGES, "_delete_": True},
        "val_dataloader.dataset": {
            **loader,
            "split": "test",
            "indices": 60,
            "_delete_": True,
        },
        "test_dataloader.dataset": {**loader, "split": "test", "indices": 60, "_delete_": True},
        "data_preprocessor": {**CROPS["data_preprocessor"], "_delete_": True},
        "model.student": {**NETWORK, "_delete_": True},
    }
    cfg = tiny_runs.config(None, epochs=epochs)
    cfg.merge_from_dict(changes)
    stored = {} if store is None else {"store": store}
    cfg.model["teacher"] = {"network": NETWORK, "weights": str(teacher), **stored}
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    return cfg


def trained(cfg: Config, work_dir: Path) -> dict[str, Any]:
    """All that a run comes to; its options of the store are none of it."""
    train(tiny_runs.single(cfg, work_dir))
    return tiny_runs.state(work_dir)


def log(work_dir: Path) -> str:
    """The lines of a run's log about stored outputs."""
    lines = "\n".join(file.read_text() for file in sorted(work_dir.glob("*/*.log"))).splitlines()
    return "\n".join(line for line in lines if "tored teacher outputs" in line)
