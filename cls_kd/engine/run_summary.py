"""The head of a run's log: what is trained, on what, how and where, on one screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller
from cls_kd.engine.compat import resumed_checkpoint
from cls_kd.engine.loaders import image_shape, innermost
from cls_kd.engine.runner import DistillRunner
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe

MAX_TEACHERS = 4
MAX_LOSSES = 6
_MAX_WIDTH = 150
_LABEL_WIDTH = 12
_NOT_SHOWN = ("type", "weight", "begin", "end", "_scope_")

Row = tuple[str, str]
"""A label and what it names."""


def run_summary(runner: DistillRunner, distiller: Distiller) -> str:
    """The head of the log as text, one row a line, at most 21 lines.

    Args:
        runner: With its loops built.
        distiller: What it trains.
    """
    cfg = runner.cfg
    rows = [
        *network_rows(distiller),
        *data_rows(runner, distiller.num_classes),
        *loss_rows(cfg.model.get("losses", {})),
        *schedule_rows(runner),
        ("device", _device(cfg, distiller)),
        *resumption_rows(runner),
        ("writes to", str(runner.work_dir)),
        ("log file", f"{runner.log_dir}/{runner.timestamp}.log (environment, config, hooks)"),
    ]
    lines = [f"  {label:<{_LABEL_WIDTH}} {_shortened(text)}" for label, text in rows]
    return "\n".join([f"Run {Path(runner.work_dir).name}:", *lines])


def network_rows(distiller: Distiller) -> list[Row]:
    """The student and its teachers: class, parameters, and where the weights come from."""
    loaded = [note for note in distiller.notes if note.startswith("Student: ")]
    origin = loaded[0].removeprefix("Student: ") if loaded else "initialized as its config says"
    student = ("student", f"{_size(distiller.student)}, {origin}")
    teachers = [
        (f"teacher {index}", f"{parameter_count(teacher.network):,} parameters, {teacher.note}")
        for index, teacher in enumerate(distiller.teachers)
    ]
    return [student, *_at_most(MAX_TEACHERS, teachers, "teachers")]


def data_rows(runner: DistillRunner, classes: int) -> list[Row]:
    """Each data set: its class, size, batch size and shape of an image."""
    loops = {
        "training": runner.train_loop,
        "validation": runner.val_loop,
        "test": runner.test_loop,
    }
    return [
        (part, _data(loop.dataloader, classes)) for part, loop in loops.items() if loop is not None
    ]


def loss_rows(losses: Mapping[str, Any]) -> list[Row]:
    """Each loss with its weight and the options that the config gives it."""
    rows = []
    for name, config in losses.items():
        weight = config.get("weight", 1.0) if isinstance(config, Mapping) else 1.0
        rows.append(("", f"{name}: {compact(weight)} x {compact(config)}"))
    rows = _at_most(MAX_LOSSES, rows, "losses")
    return [("losses" if not position else "", text) for position, (_, text) in enumerate(rows)]


def schedule_rows(runner: DistillRunner) -> list[Row]:
    """Length of the training, optimizer, learning rate."""
    wrapper = runner.cfg.optim_wrapper
    schedulers = runner.cfg.get("param_scheduler") or []
    schedulers = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    rates = "; ".join(compact(scheduler) for scheduler in schedulers) or "constant"
    return [
        ("schedule", _length(runner)),
        ("optimizer", compact(wrapper.get("optimizer", wrapper))),
        ("scheduler", rates),
    ]


def resumption_rows(runner: DistillRunner) -> list[Row]:
    """Where training goes on from, if it does."""
    if not runner.iter:
        return []
    done = f"{runner.epoch} epochs" if runner.epoch else f"{runner.iter} iterations"
    return [("resumed", f"after {done}, from {resumed_checkpoint(runner)}")]


def compact(config: Any) -> str:
    """A config in a few words: ``KDLoss(temperature=4.0)``.

    Args:
        config: A config with a ``type``, or a plain value.
    """
    if isinstance(config, Mapping):
        kind = str(config.get("type", "dict")).rsplit(".", 1)[-1].rstrip("'>")
        options = (
            f"{key}={compact(value)}" for key, value in config.items() if key not in _NOT_SHOWN
        )
        text = ", ".join(options)
        return f"{kind}({text})" if text else kind
    if isinstance(config, nn.Module):
        return type(config).__name__
    if isinstance(config, list | tuple):
        return f"[{', '.join(compact(value) for value in config)}]"
    return f"{config:g}" if isinstance(config, float) else str(config)


def parameter_count(network: nn.Module) -> int:
    """Number of a network's parameters."""
    return sum(math.prod(parameter.shape) for parameter in network.parameters())


def _size(network: nn.Module) -> str:
    return f"{describe(network)}, {parameter_count(network):,} parameters"


def _data(loader: DataLoader, classes: int) -> str:
    dataset = innermost(loader.dataset)
    repeated = len(loader.dataset) // max(len(dataset), 1)  # type: ignore[arg-type]
    size = f"{len(dataset):,} images" + (f", repeated {repeated} times" if repeated > 1 else "")
    shape = _image_shape(loader)
    processes = get_world_size()
    batch = f"batches of {loader.batch_size or _batch_size(loader)}"
    batch += f" on each of {processes} processes" if processes > 1 else ""
    return f"{type(dataset).__name__}, {size}{shape}, {classes} classes, {batch}"


def _image_shape(loader: DataLoader) -> str:
    """`` of 3x32x32``; empty for data sets whose items are no single samples."""
    try:
        return " of " + "x".join(map(str, image_shape(loader.dataset)))
    except UserError:
        return ""


def _batch_size(loader: DataLoader) -> Any:
    return getattr(loader.batch_sampler, "batch_size", "varying size")


def _length(runner: DistillRunner) -> str:
    loop = runner.train_loop
    if isinstance(loop, IterBasedTrainLoop):
        length, unit = f"{loop.max_iters:,} iterations", "iterations"
    else:
        plural = "s" if loop.max_epochs > 1 else ""
        length = f"{loop.max_epochs} epoch{plural} of {len(loop.dataloader):,} iterations"
        unit = "epochs"
    if runner.val_loop is None:
        return f"{length}, no validation"
    interval = loop.val_interval
    return f"{length}, validation every {f'{interval} {unit}' if interval > 1 else unit[:-1]}"


def _device(cfg: Config, distiller: Distiller) -> str:
    device = next(distiller.student.parameters()).device
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    wrapper = cfg.optim_wrapper
    mixed = "Amp" in str(wrapper.get("type", ""))
    precision = f"mixed precision ({wrapper.get('dtype', 'float16')})" if mixed else "float32"
    facts = [f"{device.type}{name}", precision, f"seed {cfg.randomness.get('seed')}"]
    if cfg.randomness.get("deterministic"):
        facts.append("deterministic")
    if cfg.get("compile"):
        facts.append("compiled at the first steps, which takes a while")
    return ", ".join(facts)


def _at_most(count: int, rows: Sequence[Row], what: str) -> list[Row]:
    if len(rows) <= count:
        return list(rows)
    return [*rows[: count - 1], ("", f"and {len(rows) - count + 1} more {what}")]


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 3]}..."
