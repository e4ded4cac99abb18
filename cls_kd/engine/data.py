"""Data loaders by config, and what is asked of them before anything is trained or evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from cls_kd.engine.runner import DistillRunner
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS
from cls_kd.signals.batch import NO_PAIRS, check_label_range


def build_loader(cfg: Config, key: str) -> DataLoader:
    """The loader ``cfg[key]``, seeded as in training."""
    return DistillRunner.build_dataloader(cfg[key], seed=cfg.randomness.seed)


def build_dataset(config: Mapping[str, Any], *, lazy: bool = False) -> Any:
    """The data set alone; ``lazy``: without reading the data, for its names only."""
    options = {"lazy_init": True} if lazy else {}
    return DATASETS.build({**config, **options})


def image_shape(dataset: Any) -> tuple[int, ...]:
    """Shape of one image, after its pipeline.

    Raises:
        UserError: The pipeline does not end as mmpretrain's do.
    """
    sample = dataset[0]
    if not isinstance(sample, dict) or "inputs" not in sample:
        raise UserError(
            "A sample of the data has no 'inputs': its pipeline must end with PackInputs."
        )
    return tuple(sample["inputs"].shape)


def check_pairs(dataset: Any, signals: Collection[str]) -> None:
    """Refuse data without pairs of images, where one of these signals is made of them.

    Raises:
        UserError: Says how data get them.
    """
    if {"pair_inputs", "pair_logits"} & set(signals) and "pair_inputs" not in dataset[0]:
        raise UserError(NO_PAIRS)


def check_labels(loader: DataLoader, num_classes: int, name: str) -> None:
    """Refuse a data set with labels that the student has no output for.

    Raises:
        UserError: With the range that was found.
    """
    labels = getattr(innermost(loader.dataset), "get_gt_labels", None)
    if labels is not None:
        check_label_range(torch.as_tensor(labels()), num_classes, f"the {name} data set")


def check_classes(loaders: Mapping[str, DataLoader]) -> None:
    """Refuse data sets whose classes have other names: their labels count other things.

    A folder that is missing in one of them shifts every label behind it.

    Raises:
        UserError: The names that are not in both.
    """
    named = {
        key.removesuffix("_dataloader"): tuple(classes)
        for key, loader in loaders.items()
        if (classes := getattr(loader.dataset, "metainfo", {}).get("classes"))
    }
    for one, other in pairwise(named):
        if named[one] != named[other]:
            odd = sorted(set(named[one]) ^ set(named[other])) or ["none, but in another order"]
            raise UserError(
                f"The {one} and the {other} data differ in their classes ({len(named[one])} and "
                f"{len(named[other])}). Not in both: {', '.join(odd[:6])}."
            )


def innermost(dataset: Any) -> Any:
    """The data set inside wrappers, which may repeat it; ``sample_idx`` counts in this one."""
    while not hasattr(dataset, "get_gt_labels") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return dataset


def class_names(dataset: Any) -> tuple[str, ...] | None:
    """Names of a data set's classes in the order of its labels; None where it has none."""
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes")
    return tuple(str(name) for name in classes) if classes else None
