"""Time that a run will take, from some of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller
from cls_kd.engine.dry_run import without_references
from cls_kd.engine.train import build_parts
from cls_kd.runs import Run
from cls_kd.runs.plain_config import PlainConfig

WARM_UP = 2
"""Steps before the first measured one."""

SECONDS = 5.0
"""Default length of a measurement; at least one step is made."""


@dataclass(frozen=True)
class Estimate:
    """Expected time of a run.

    Attributes:
        step: Seconds of one training step, loading of the batch included.
        evaluation: Seconds of one pass over the validation data.
        total: Seconds of the whole training with its validations and the test.
        disk: Bytes of the checkpoints that are kept.
    """

    step: float
    evaluation: float
    total: float
    disk: int


def estimate(run: Run, seconds: float = SECONDS) -> Estimate:
    """Measure some steps of a run on this machine, without writing anything.

    What earlier runs will have trained is untrained here. The time of starting, of checkpoints and
    of data that later epochs read faster is not in it.

    Args:
        run: Of epochs or iterations.
        seconds: Length of the measurement of training steps; validation takes a fifth of it.

    Raises:
        UserError: The run cannot be built.
    """
    cfg = PlainConfig(without_references(run.cfg.to_dict()))
    distiller, loaders, optimizer = build_parts(cfg)
    distiller.to(get_device()).train()
    training = loaders["train_dataloader"]
    step = _mean_time(partial(_train_step, distiller, optimizer), training, seconds)
    distiller.eval()
    passes = {
        key: _mean_time(partial(_validation_step, distiller), loaders[key], seconds / 5)
        * len(loaders[key])
        for key in ("val_dataloader", "test_dataloader")
        if key in loaders
    }
    loop = cfg.train_cfg
    steps = loop.get("max_iters") or loop.max_epochs * len(training)
    units = loop.get("max_iters") or loop.max_epochs
    validations = units // loop.get("val_interval", 1)
    validation = passes.get("val_dataloader", 0.0)
    total = steps * step + validations * validation + passes.get("test_dataloader", 0.0)
    return Estimate(step, validation, total, _checkpoint_bytes(cfg, distiller, optimizer))


def _checkpoint_bytes(cfg: Config, distiller: Distiller, optimizer: Any) -> int:
    """Weights, and what the optimizer keeps, of as many checkpoints as stay."""
    tensors = [*distiller.state_dict().values()]
    for state in optimizer.state_dict().get("state", {}).values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    hook = cfg.get("default_hooks", {}).get("checkpoint") or {}
    kept, units = hook.get("max_keep_ckpts", -1), cfg.train_cfg
    written = (units.get("max_iters") or units.get("max_epochs")) // hook.get("interval", 1)
    return size * max(1, written if kept < 0 else min(kept, written))


def _train_step(distiller: Any, optimizer: Any, batch: Any) -> None:
    distiller.train_step(batch, optimizer)


@torch.no_grad()
def _validation_step(distiller: Any, batch: Any) -> None:
    distiller.val_step(batch)


def _mean_time(step: Callable[[Any], Any], loader: DataLoader, seconds: float) -> float:
    """Mean seconds of a step, with its batch, after `WARM_UP` steps."""
    batches = _endless(loader)
    for _ in range(WARM_UP):
        step(next(batches))
    _wait()
    started, count = time.perf_counter(), 0
    while not count or time.perf_counter() - started < seconds:
        step(next(batches))
        count += 1
        _wait()
    return (time.perf_counter() - started) / count


def _endless(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _wait() -> None:
    """Wait for the device: its steps are asynchronous."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
