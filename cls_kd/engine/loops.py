"""Unit of a training, epochs or iterations, and a check that the whole config agrees."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS, LOOPS, PARAM_SCHEDULERS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from cls_kd.errors import UserError, did_you_mean
from cls_kd.losses import DistillLoss
from cls_kd.registry import resolve

_BY_EPOCH = ("epoch", "max_epochs")
"""Signals that have no meaning where iterations are counted."""


def loop_class(train_cfg: Mapping[str, Any]) -> type:
    """The class of the training loop.

    Raises:
        UserError: There is no such loop.
    """
    kind = train_cfg.get("type")
    if kind is None:
        return EpochBasedTrainLoop if train_cfg.get("by_epoch", True) else IterBasedTrainLoop
    loop = resolve(LOOPS, kind)
    if loop is None:
        raise UserError(
            f"train_cfg: there is no loop {kind!r}.{did_you_mean(str(kind), LOOPS.module_dict)}"
        )
    return loop


def counts_iterations(train_cfg: Mapping[str, Any]) -> bool:
    """Test for a training whose length is given in iterations (one batch each)."""
    return issubclass(loop_class(train_cfg), IterBasedTrainLoop)


def planned_length(train_cfg: Mapping[str, Any]) -> tuple[str, int]:
    """``('max_epochs', 20)`` or ``('max_iters', 400)``."""
    key = "max_iters" if counts_iterations(train_cfg) else "max_epochs"
    return key, int(train_cfg[key])


def intervals(train_cfg: Mapping[str, Any]) -> int:
    """Number of progress reports of a training: one per epoch, or per validation interval."""
    key, length = planned_length(train_cfg)
    every = int(train_cfg.get("val_interval", 1000)) if key == "max_iters" else 1
    return -(-length // every)


def check_loop(cfg: Config) -> None:
    """Refuse a training loop of unknown options, and sections that count something else.

    Raises:
        UserError: All that is wrong, with what to set.
    """
    _check_options(cfg.train_cfg)
    if not counts_iterations(cfg.train_cfg):
        return
    wrong = [*_schedulers(cfg), *_checkpoints(cfg), *_sampler(cfg), *_averages(cfg)]
    if wrong:
        raise UserError(
            f"train_cfg counts iterations (max_iters={cfg.train_cfg.max_iters}), and these parts "
            "of the config count epochs:\n" + "\n".join(f"  {line}" for line in wrong)
        )


def check_signals(cfg: Config, losses: Mapping[str, DistillLoss]) -> None:
    """Refuse losses that ask which epoch it is where only iterations are counted.

    Raises:
        UserError: Which loss asks for what.
    """
    if not counts_iterations(cfg.train_cfg):
        return
    for name, loss in losses.items():
        asked = [signal for signal in loss.signals if signal in _BY_EPOCH]
        if asked:
            raise UserError(
                f"The loss {name!r} asks for {asked[0]!r}, and train_cfg counts iterations, not "
                "epochs: train it with train_cfg=dict(type=EpochBasedTrainLoop, max_epochs=...)."
            )


def _check_options(train_cfg: Mapping[str, Any]) -> None:
    kind = loop_class(train_cfg)
    known = set(inspect.signature(kind).parameters) - {"runner", "dataloader"}
    length = "max_iters" if issubclass(kind, IterBasedTrainLoop) else "max_epochs"
    for key in set(train_cfg) - known - {"type", "by_epoch"}:
        raise UserError(
            f"train_cfg: {kind.__name__} has no option {key!r}.{did_you_mean(str(key), known)}"
        )
    if length in known and length not in train_cfg:
        raise UserError(f"train_cfg: {kind.__name__} needs {length}.")


def _schedulers(cfg: Config) -> Iterable[str]:
    entries = cfg.get("param_scheduler") or []
    for position, entry in enumerate([entries] if isinstance(entries, Mapping) else entries):
        kind = resolve(PARAM_SCHEDULERS, entry.get("type"))
        # Those that follow a metric are stepped by validations, in either loop.
        if not entry.get("by_epoch", True) or getattr(kind, "need_val_args", False):
            continue
        given = sorted(set(entry) & {"T_max", "milestones", "step_size", "begin", "end"})
        numbers = f", {', '.join(given)} in iterations" if given else ""
        dropped = ", no convert_to_iter_based" if "convert_to_iter_based" in entry else ""
        name = getattr(kind, "__name__", entry.get("type"))
        yield f"param_scheduler[{position}] ({name}): set by_epoch=False{numbers}{dropped}"


def _checkpoints(cfg: Config) -> Iterable[str]:
    checkpoint = (cfg.get("default_hooks") or {}).get("checkpoint") or {}
    if isinstance(checkpoint, Mapping) and checkpoint.get("by_epoch", True):
        yield "default_hooks.checkpoint: set by_epoch=False, interval in iterations"
    log_processor = cfg.get("log_processor") or {}
    if isinstance(log_processor, Mapping) and log_processor.get("by_epoch", True):
        yield "log_processor: set by_epoch=False"


def _sampler(cfg: Config) -> Iterable[str]:
    loader = cfg.train_dataloader
    sampler = loader.get("sampler") if isinstance(loader, Mapping) else None
    if (
        isinstance(sampler, Mapping)
        and resolve(DATA_SAMPLERS, sampler.get("type")) is DefaultSampler
    ):
        yield (
            "train_dataloader.sampler (DefaultSampler ends with each pass, and MMEngine then waits "
            "two seconds): set type=InfiniteSampler, shuffle=True"
        )


def _averages(cfg: Config) -> Iterable[str]:
    for position, hook in enumerate(cfg.get("custom_hooks") or []):
        if isinstance(hook, Mapping) and hook.get("begin_epoch"):
            yield f"custom_hooks[{position}]: set begin_iter in place of begin_epoch"
