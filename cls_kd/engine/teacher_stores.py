"""Stored teacher outputs of a run: how rows are addressed, and what is in the key."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any, cast

import mmcv
import mmpretrain
import numpy
import torch
import torchvision
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list, get_world_size
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

import cls_kd
from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.data.content import content_digest
from cls_kd.data.reading import datasets_in
from cls_kd.data.replay import (
    SeededBatchAugment,
    SeededSamples,
    check_repeatable,
    mixes_images,
    random_transforms,
)
from cls_kd.distillers import Distiller
from cls_kd.engine.loaders import innermost
from cls_kd.engine.loops import counts_iterations
from cls_kd.errors import UserError
from cls_kd.registry import resolve
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.teacher_store import Addressing, ByEpoch, ByOutcome

_PLACES = ("data_root", "data_prefix", "ann_file", "lazy_init")
"""Options of data sets that say where the data are, and not what they are."""

FORMAT = 1
"""Version of the files of a store."""


def stored_teachers(model: Distiller) -> list[StoredTeacher]:
    """The teachers of a distiller whose outputs are stored, and of whom something is asked."""
    # A teacher that runs of a cohort share stands in front of its own.
    shared = [getattr(teacher, "shared", None) for teacher in model.teachers]
    teachers = [
        teacher if part is None else part.teacher
        for teacher, part in zip(model.teachers, shared, strict=True)
    ]
    return [item for item in teachers if isinstance(item, StoredTeacher) and item.is_asked]


def with_seeded_samples(cfg: Config) -> Config:
    """A config whose samples can be seeded one by one, if a teacher's outputs are to be stored."""
    teacher = cfg.model.get("teacher")
    configs = [teacher] if isinstance(teacher, Mapping) else teacher or []
    if not any(isinstance(item, Mapping) and "store" in item for item in configs):
        return cfg
    loader = dict(cfg.train_dataloader)
    loader["dataset"] = {"type": "cls_kd.data.SeededSamples", "dataset": loader["dataset"]}
    return Config({**cfg.to_dict(), "train_dataloader": loader})


def plan_stores(cfg: Config, model: Distiller, loader: DataLoader) -> None:
    """Prepare a training whose teachers' outputs are stored. Writes nothing.

    Random transforms of samples, mixup and CutMix are made to depend on (seed, epoch, index) and
    (seed, epoch, step).

    Args:
        cfg: Config of the run.
        model: Its distiller.
        loader: Its loader of training data.

    Raises:
        UserError: Something that is drawn at random cannot be repeated, a loss asks for what is
            not stored, or the store would be too large.
    """
    teachers = stored_teachers(model)
    if not teachers:
        return
    preprocessor: Any = model.data_preprocessor
    _check_data(loader.dataset, preprocessor)
    is_random = bool(random_transforms(loader.dataset))
    is_mixed = mixes_images(getattr(preprocessor, "batch_augments", None))
    if is_random or is_mixed:
        _check_epochs(cfg, loader.dataset, is_random)
    seeded = loader.dataset
    if is_random and isinstance(seeded, SeededSamples):
        seeded.is_active = True
        check_repeatable(seeded)
    if is_mixed:
        preprocessor.batch_augments = SeededBatchAugment(preprocessor.batch_augments)
        preprocessor.follow(model.time)
    addressing = _addressing(cfg, preprocessor, loader, is_random, is_mixed)
    for teacher in teachers:
        teacher.plan(addressing)


def _addressing(
    cfg: Config, preprocessor: Any, loader: DataLoader, is_random: bool, is_mixed: bool
) -> Addressing:
    augment = getattr(preprocessor, "augment", None)
    if is_random or is_mixed:
        batches = _batches(cfg) if is_mixed else None
        seed = int(cfg.randomness.seed or 0)
        images = len(cast(Sized, loader.dataset))
        return ByEpoch(images, int(cfg.train_cfg.max_epochs), seed, batches)
    images = len(innermost(loader.dataset))
    if augment is None:
        return ByOutcome(images, 1, lambda index, _: torch.zeros_like(index))
    return ByOutcome(images, augment.outcomes, augment.outcome)


def _batches(cfg: Config) -> dict[str, Any]:
    """The options that decide which images are in a batch together, beside seed and epoch."""
    loader = cfg.train_dataloader
    keys = ("batch_size", "sampler", "drop_last")
    return {"processes": get_world_size(), **{key: _plain(loader.get(key)) for key in keys}}


def _check_data(dataset: Any, preprocessor: Any) -> None:
    """Refuse data whose samples have no index of their own, or are augmented in other ways.

    Raises:
        UserError: Says which.
    """
    if any(getattr(inner, "datasets", None) for inner in datasets_in(dataset)):
        raise UserError(
            "store: the training data are several data sets in one, whose samples have the same "
            "indices: the teacher's outputs cannot be stored."
        )
    augment = getattr(preprocessor, "augment", None)
    if augment is not None and not hasattr(augment, "outcome"):
        raise UserError(
            f"store: {type(augment).__name__} (data_preprocessor.augment) does not say which of "
            "its outcomes a sample gets, as RandomCropFlip does: the teacher's outputs cannot be "
            "stored."
        )


def _check_epochs(cfg: Config, dataset: Any, is_random: bool) -> None:
    """Refuse a training whose draws are not told apart by epoch and sample.

    Raises:
        UserError: Says what would be right.
    """
    sampler = cfg.train_dataloader.get("sampler") or {}
    kind = resolve(DATA_SAMPLERS, sampler.get("type")) if isinstance(sampler, Mapping) else None
    reason = None
    if counts_iterations(cfg.train_cfg):
        reason = "train_cfg counts iterations: take train_cfg=dict(by_epoch=True, max_epochs=...)"
    elif kind is not DefaultSampler or cfg.train_dataloader.get("batch_sampler"):
        reason = "the loader's sampler is not DefaultSampler, which gives each sample once an epoch"
    elif not is_random and len(dataset) != len(innermost(dataset)):
        reason = f"{type(dataset).__name__} gives a sample several times in an epoch"
    if reason:
        raise UserError(
            "store: random transforms are repeated by (seed, epoch, sample), which needs epochs "
            f"that have each sample once, and {reason}."
        )


def prepare_stores(cfg: Config, model: Distiller, dataset: Any) -> None:
    """Find the stores of a run that has been planned. Writes nothing.

    Args:
        cfg: Config of the run.
        model: Its distiller, on the CPU.
        dataset: The training data.

    Raises:
        UserError: A store would not fit on the disk.
    """
    for teacher in stored_teachers(model):
        if teacher.key is None:  # by another run of the cohort
            teacher.prepare(key_parts(cfg, teacher, dataset))


def key_parts(cfg: Config, teacher: StoredTeacher, dataset: Any) -> dict[str, Any]:
    """The key of a teacher's store: everything that a stored value depends on.

    Args:
        cfg: Config of the run.
        teacher: The teacher; planned.
        dataset: The training data.
    """
    return {
        "format": FORMAT,
        **teacher.parts(),
        "data": _content(dataset),
        "pipeline": _plain(_without_places(cfg.train_dataloader.dataset)),
        "preprocessing": _plain(cfg.model.get("data_preprocessor", cfg.get("data_preprocessor"))),
        "precision": _precision(cfg),
        "device": _device(),
        "versions": _versions(),
    }


def validation_parts(cfg: Config, dataset: Any) -> dict[str, Any]:
    """The key of a teacher's metrics on validation data, beside that of its store."""
    return {
        "data": _content(dataset),
        "loader": _plain(_without_places(cfg.val_dataloader)),
        "evaluator": _plain(cfg.val_evaluator),
    }


def _content(dataset: Any) -> str:
    """`content_digest`, computed by the main process alone."""
    digests = [content_digest(dataset)] if _is_first() else [""]
    broadcast_object_list(digests)
    return digests[0]


def _is_first() -> bool:
    return torch.distributed.get_rank() == 0 if torch.distributed.is_initialized() else True


def _precision(cfg: Config) -> dict[str, Any]:
    wrapper = cfg.optim_wrapper
    return {
        "wrapper": str(wrapper.get("type", "OptimWrapper")).rsplit(".", 1)[-1],
        "dtype": str(wrapper.get("dtype")),
        "compile": _plain(cfg.get("compile", False)),
        "matmul": torch.get_float32_matmul_precision(),
        "tf32": f"{torch.backends.cuda.matmul.allow_tf32}, {torch.backends.cudnn.allow_tf32}",
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
    }


def _device() -> dict[str, Any]:
    if get_device() != "cpu" and torch.cuda.is_available():
        return {"name": torch.cuda.get_device_name()}
    return {
        "name": f"{get_device()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "mkldnn": torch.backends.mkldnn.enabled,
    }


def _versions() -> dict[str, str]:
    packages = (cls_kd, mmcv, mmpretrain, numpy, torch, torchvision)
    return {package.__name__: package.__version__ for package in packages}


def _plain(value: Any) -> Any:
    """A part of a config, as a text that is the same wherever it is made."""
    return PlainConfig({"value": value}).pretty_text


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items() if key not in _PLACES}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return value
