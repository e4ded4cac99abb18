"""Schedules of the optimizer, started anew and played through without training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from cls_kd.engine.compat import ParamScheduler
from cls_kd.engine.loops import counts_iterations


def restart_schedule(
    cfg: Config, optimizer: OptimWrapper, *, length: int, epoch_length: int
) -> list[ParamScheduler]:
    """The schedulers of a config at the beginning of a training.

    Args:
        cfg: A resolved config.
        optimizer: Its groups get their initial learning rates (and momenta) back.
        length: Of the training, in what ``train_cfg`` counts.
        epoch_length: Iterations of one epoch.
    """
    for group in optimizer.param_groups:
        for key in [key for key in group if key.startswith("initial_")]:
            group[key.removeprefix("initial_")] = group[key]
    iterations = length if counts_iterations(cfg.train_cfg) else length * epoch_length
    schedulers = []
    for config in scheduler_configs(cfg):
        end = length if config.get("by_epoch", True) else iterations
        defaults = {"optimizer": optimizer, "epoch_length": epoch_length}
        schedulers.append(PARAM_SCHEDULERS.build({"end": end, **config}, default_args=defaults))
    return schedulers


def play(
    schedulers: Sequence[ParamScheduler],
    optimizer: OptimWrapper,
    *,
    iterations: int,
    epoch_length: int,
) -> list[float]:
    """Step the schedulers as training does.

    Returns:
        The learning rate of the first group in each iteration.
    """
    rates = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of `scheduler.step")
        for done in range(1, iterations + 1):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            for scheduler in schedulers:
                if not scheduler.by_epoch or done % epoch_length == 0:
                    scheduler.step()
    return rates


def scheduler_configs(cfg: Config) -> list[Mapping[str, Any]]:
    """``param_scheduler`` as a list."""
    configs = cfg.get("param_scheduler") or []
    return [configs] if isinstance(configs, Mapping) else list(configs)
