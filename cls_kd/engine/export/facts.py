"""Inputs and classes of the student, according to the data of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmpretrain.datasets import CIFAR10

from cls_kd.data.in_memory import ImagesInMemory
from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.engine.export.clean_config import short_name
from cls_kd.engine.loaders import build_dataset, image_shape
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS

# What a data set raises whose files are not there, or not as expected.
NOT_THERE = (OSError, RuntimeError, TypeError, AssertionError)
_SPLITS = ("test", "val", "train")
_FLIPPED = {"rgb": "bgr", "bgr": "rgb"}


def splits(cfg: Config) -> list[str]:
    """Which of test, val and train a config has data for, in this order."""
    return [split for split in _SPLITS if cfg.get(f"{split}_dataloader")]


def test_data(cfg: Config) -> Mapping[str, Any]:
    """Config of the data set that tests the student, without wrappers; empty if there is none."""
    names = splits(cfg)
    return innermost_config(cfg[f"{names[0]}_dataloader"].dataset) if names else {}


def innermost_config(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Config of the data set inside wrappers; the first where several are concatenated."""
    while "dataset" in data or "datasets" in data:
        data = data["dataset"] if "dataset" in data else data["datasets"][0]
    return data


def measured_shape(cfg: Config) -> tuple[int, ...]:
    """Shape of one test image after its pipeline, (C, H, W).

    Raises:
        UserError: There are no data to measure it on.
    """
    names = splits(cfg)
    if not names:
        raise UserError("The config has no data that could tell the shape of an image: say it.")
    key = f"{names[0]}_dataloader"
    try:
        return image_shape(build_dataset(cfg[key].dataset))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"The data of {key} are not here to tell the shape of an image ({error}): say it, as "
            "--input-shape 3 224 224."
        ) from error


def class_names(data: Mapping[str, Any], checkpoint: str, outputs: int) -> tuple[list[str], str]:
    """Names of the classes: those of the data set, else those that the checkpoint has kept.

    Args:
        data: Config of a data set. It is read, because folders of images are only known after that.
        checkpoint: MMEngine writes the training data's ``metainfo`` into it.
        outputs: Number of the student's logits; another number of names is not used.

    Returns:
        The names, and a remark for the user where there are none.
    """
    names = list(_names_of_data(data) or _names_in_checkpoint(checkpoint))
    if len(names) == outputs:
        return [str(name) for name in names], ""
    if not names:
        return [], "Neither the data nor the checkpoint name the classes: the export has no names."
    return [], (
        f"The data name {len(names)} classes and the student has {outputs} outputs: the export has "
        "no class names."
    )


def channel_order(data: Mapping[str, Any], channels: int, to_rgb: bool) -> str | None:
    """Order of the channels that the network takes.

    mmpretrain loads files as BGR, and its CIFAR and the data sets here hold RGB; ``to_rgb`` swaps
    the first and the last channel.

    Args:
        data: Config of the data set.
        channels: Of one image.
        to_rgb: Of the data preprocessor.

    Returns:
        ``'rgb'``, ``'bgr'``, ``'gray'``, or None where it cannot be known.
    """
    if channels == 1:
        return "gray"
    stored = _stored_order(data)
    if stored is None:
        # By mmpretrain's convention only BGR images are flipped.
        return "rgb" if to_rgb else None
    return _FLIPPED[stored] if to_rgb else stored


def _stored_order(data: Mapping[str, Any]) -> str | None:
    steps = [short_name(step["type"]) for step in data.get("pipeline", [])]
    if "LoadImageFromFile" in steps:
        return "bgr"
    kind = data.get("type")
    dataset = DATASETS.get(kind) if isinstance(kind, str) else kind
    holds_rgb = isinstance(dataset, type) and issubclass(dataset, ImagesInMemory | CIFAR10)
    return "rgb" if holds_rgb else None


def _names_of_data(data: Mapping[str, Any]) -> list[str]:
    if not data:
        return []
    try:
        names = build_dataset(data, lazy=True).metainfo.get("classes")
        # The names of folders are known once the folders have been read.
        return list(names or build_dataset(data).metainfo.get("classes") or ())
    except NOT_THERE:
        # Names are a courtesy; the data need not be here.
        return []


def _names_in_checkpoint(checkpoint: str) -> list[str]:
    content = read_checkpoint(checkpoint)
    meta = content.get("meta")
    known = meta.get("dataset_meta") if isinstance(meta, Mapping) else None
    return list(known.get("classes") or ()) if isinstance(known, Mapping) else []
