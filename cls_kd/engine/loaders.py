"""Data loaders by config, and what is asked of them before anything is trained or evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Sized
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset
from torch.utils.data import DataLoader

from cls_kd.data.in_memory import collate
from cls_kd.data.mixtures import MIXTURE_ALPHA
from cls_kd.data.reading import datasets_in, name_unreadable
from cls_kd.data.skip_unreadable import SkipUnreadable
from cls_kd.engine.multi_label import labels_of_several
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS
from cls_kd.signals.batch import NO_MIXTURES, NO_PAIRS, NO_VIEWS, check_label_range
from cls_kd.signals.network import VIEWS


def keep_worker_seed(worker_id: int) -> None:
    """A loader worker keeps PyTorch's seed, which follows the epoch.

    MMEngine's own gives each worker the same seed in every epoch, so that augmentations repeat.
    """


def build_dataloader(
    dataloader: DataLoader | dict[str, Any],
    seed: int | None = None,
    diff_rank_seed: bool = False,
) -> DataLoader:
    """As MMEngine's, with workers whose randomness follows the epoch, and images stacked.

    Normalizing a stack takes a fraction of the time that it takes image by image. Images of
    different sizes need ``collate_fn=dict(type='pseudo_collate')``. An image that cannot
    be read is an error that names its file.
    """
    if isinstance(dataloader, dict):
        defaults = {
            "worker_init_fn": {"type": keep_worker_seed},
            "collate_fn": {"type": collate},
            "pin_memory": torch.cuda.is_available(),
        }
        dataloader = _skipping({**defaults, **dataloader})
    loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
    name_unreadable(loader.dataset)
    _check_device(loader)
    return loader


def _skipping(config: dict[str, Any]) -> dict[str, Any]:
    """Apply ``on_error`` of a loader's config: ``'raise'`` (default) or ``'skip'``."""
    choice = config.pop("on_error", "raise")
    if choice not in ("raise", "skip"):
        raise UserError(f"on_error must be 'raise' or 'skip', not {choice!r}.")
    if choice == "skip":
        config["dataset"] = {"type": SkipUnreadable, "dataset": config["dataset"]}
    return config


def unreadable_images(dataset: Any) -> list[str]:
    """Files that were left out of the training, in all processes; sorted."""
    skipping = [part for part in datasets_in(dataset) if isinstance(part, SkipUnreadable)]
    names = [
        str(part.get_data_info(index).get("img_path", index))
        for part in skipping
        for index in part.unreadable()
    ]
    if not skipping:
        return []
    return sorted({name for of_process in all_gather_object(names) for name in of_process})


def build_loader(cfg: Config, key: str) -> DataLoader:
    """The loader ``cfg[key]``, seeded as in training.

    Raises:
        UserError: It cannot be built, or would give no batch.
    """
    if key != "train_dataloader" and cfg[key].get("on_error") is not None:
        raise UserError(
            f"{key}.on_error cannot be set: figures are of all images of a split. Remove "
            "unreadable ones from it."
        )
    try:
        loader = build_dataloader(cfg[key], seed=cfg.randomness.seed)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        _check_class_folders(cfg[key], key)
        reason = str(error.args[0] if error.args else error).split(". Please check whether")[0]
        raise UserError(f"{key} cannot be built: {reason}") from error
    _check_length(loader, key)
    return loader


def _check_device(loader: DataLoader) -> None:
    """Refuse workers where the images lie on a device, and leave its memory as it is."""
    device = getattr(innermost(loader.dataset), "device", None)
    if device is None or device.type == "cpu":
        return
    if loader.num_workers:
        raise UserError(
            f"The images lie on the device (device='{device}'), which worker processes cannot "
            "read: num_workers=0."
        )
    loader.pin_memory = False


def _check_length(loader: DataLoader, key: str) -> None:
    images = len(cast(Sized, loader.dataset))
    if images == 0:
        raise UserError(f"{key}: its data set holds no image.")
    if len(loader) == 0:
        batch = getattr(loader.batch_sampler, "batch_size", None) or loader.batch_size
        raise UserError(
            f"{key} gives no batch: with drop_last=True, {images} images do not fill one batch of "
            f"{batch}. Take a smaller batch_size, or drop_last=False."
        )


def _check_class_folders(loader: Mapping[str, Any], key: str) -> None:
    """Refuse folders of images that are others than the classes of the config, with both lists."""
    config = loader.get("dataset") or {}
    while isinstance(config.get("dataset"), Mapping):
        config = config["dataset"]
    given = config.get("classes") or (config.get("metainfo") or {}).get("classes")
    prefix = config.get("data_prefix") or ""
    prefix = prefix.get("img_path", "") if isinstance(prefix, Mapping) else prefix
    folder = Path(config.get("data_root") or "", prefix)
    if not given or isinstance(given, str) or not folder.is_dir():
        return
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if len(folders) != len(given):
        raise UserError(
            f"{key}: the config has {len(given)} classes ({_listed(given)}), and {folder} has "
            f"{len(folders)} folders ({_listed(folders)}): there must be one folder for each class."
        )


def _listed(names: Sequence[str], most: int = 12) -> str:
    rest = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {rest} more" if rest > 0 else "")


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
    """Refuse data without pairs or views of images, where one of these signals is made of them.

    Raises:
        UserError: Says how data get them.
    """
    if {"pair_inputs", "pair_logits"} & set(signals) and "pair_inputs" not in dataset[0]:
        raise UserError(NO_PAIRS)
    if {"mix", "permutation"} & set(signals) and MIXTURE_ALPHA not in dataset[0]:
        raise UserError(NO_MIXTURES)
    views = {"view_inputs", *VIEWS} & set(signals)
    if views and not {"view_inputs", MIXTURE_ALPHA} & dataset[0].keys():
        raise UserError(NO_VIEWS)


def check_labels(loader: DataLoader, num_classes: int, name: str) -> None:
    """Refuse a data set whose classes are others than those that the student has outputs for.

    Raises:
        UserError: Labels out of range, another number of classes, or a folder of training images
            without an image.
    """
    dataset = innermost(loader.dataset)
    labels = getattr(dataset, "get_gt_labels", None)
    classes = (getattr(loader.dataset, "metainfo", None) or {}).get("classes")
    if labels is not None:
        several = labels_of_several(dataset)
        targets = torch.as_tensor(labels()) if several is None else several
        check_label_range(targets, num_classes, f"the {name} data set")
        if name == "train" and isinstance(dataset, CustomDataset) and not dataset.ann_file:
            _check_every_class(targets, classes or (), dataset)
    if classes is not None and len(classes) != num_classes:
        raise UserError(
            f"The student has outputs for {num_classes} classes, and the {name} data have "
            f"{len(classes)}: {_listed(classes)}. Set num_classes={len(classes)}, of the head and "
            "of the data_preprocessor, or add the missing folders."
        )


def _check_every_class(labels: torch.Tensor, classes: Sequence[str], dataset: Any) -> None:
    """Refuse a class whose folder is empty: mmpretrain says so in one line of the log."""
    images = torch.bincount(labels, minlength=len(classes)).tolist()
    empty = [name for name, number in zip(classes, images, strict=False) if number == 0]
    if empty:
        raise UserError(
            f"The train data have no image of {_listed(empty)}: {len(empty)} of {len(classes)} "
            f"folders in {dataset.img_prefix} hold no file that ends with "
            f"{', '.join(sorted(dataset.extensions))}. Remove the folders, or list the images in "
            "an ann_file, where a class may have none."
        )


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
    for first, second in pairwise(named):
        if named[first] != named[second]:
            odd = sorted(set(named[first]) ^ set(named[second])) or ["none, but in another order"]
            raise UserError(
                f"The {first} and the {second} data differ in their classes "
                f"({len(named[first])} and {len(named[second])}). "
                f"Not in both: {', '.join(odd[:6])}."
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
