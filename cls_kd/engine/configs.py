"""Configs that are ready for training: read, composed, and checked against classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd import runs
from cls_kd.engine.check_config import check_config
from cls_kd.engine.compat import amp_wrapper


def load_config(
    path: str | Path,
    *,
    method: str | None = None,
    options: Mapping[str, Any] | None = None,
    amp: bool = False,
    seed: int | None = None,
    deterministic: bool = False,
) -> Config:
    """Read a config and apply to it what the command line says.

    Args:
        path: A Python config.
        method: Name of a file in ``configs/methods``; its losses replace the config's.
        options: ``--cfg-options``, dotted keys.
        amp: Automatic mixed precision, in the type that fits the device at hand.
        seed: Replaces the config's seed, and the list of seeds of every run.
        deterministic: Ask PyTorch for deterministic algorithms.

    Raises:
        UserError: See ``cls_kd.runs.load_config``; or a class takes no such key (see
            ``check_config``).
    """
    cfg = runs.load_config(
        path, method=method, options=options, seed=seed, deterministic=deterministic
    )
    if amp:
        cfg.optim_wrapper = amp_wrapper(dict(cfg.optim_wrapper))
    check_config(cfg)
    return cfg
