"""Runs of a second or two, in this process or in a forked one that may be killed."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Not needed here; forked processes would each import them, which takes seconds.
import matplotlib.backends.backend_agg
import matplotlib.pyplot  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch
import torch._dynamo
from mmengine.config import Config

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.engine import Run, load_config, plan, train

ROOT = Path(__file__).parents[2]
PAIR = ROOT / "configs" / "digits" / "pair.py"
TEACHER = {
    "type": "mmpretrain.models.ImageClassifier",
    "backbone": {"type": "cls_kd.models.DigitsCNN", "widths": (8, 8, 16)},
    "neck": {"type": "mmpretrain.models.GlobalAveragePooling"},
    "head": {"type": "mmpretrain.models.LinearClsHead", "num_classes": 10, "in_channels": 16},
}
TRAIN = {
    "type": "cls_kd.data.Digits",
    "split": "train",
    "labelled": 100,
    "pipeline": [
        {"type": "cls_kd.data.RandomShift", "pixels": 1},
        {"type": "mmpretrain.datasets.transforms.PackInputs"},
    ],
}
STEPS = 5
"""Steps of an epoch."""


def config(
    teacher: Path | None,
    *,
    path: Path = PAIR,
    method: str | None = "kd",
    epochs: int = 2,
    amp: bool = False,
    **options: Any,
) -> Config:
    """One run on 100 digits. ``options`` as of ``--cfg-options``, with ``__`` for a dot."""
    changes = {
        "train_dataloader.batch_size": 20,
        "train_dataloader.dataset": {"_delete_": True, **TRAIN},
        "val_dataloader.dataset.indices": 60,
        "test_dataloader.dataset.indices": 60,
        "train_cfg.max_epochs": epochs,
        "train_cfg.val_interval": 1,
        "default_hooks.logger.interval": 2,
        "default_hooks.checkpoint.interval": 1,
        "console_log_level": "ERROR",
        **{key.replace("__", "."): value for key, value in options.items()},
    }
    cfg = load_config(path, method=method, amp=amp)
    cfg.pop("runs")
    cfg.param_scheduler[0]["T_max"] = epochs
    network = {"network": TEACHER, "weights": str(teacher)} if teacher else None
    cfg.model["teacher"] = network
    cfg.merge_from_dict(changes)
    return cfg


def single(cfg: Config, work_dir: Path) -> Run:
    (run,) = plan(cfg, work_dir)
    return run


def last(work_dir: Path) -> dict[str, Any]:
    """The checkpoint that the pointer names; must be there and whole."""
    return read_checkpoint(work_dir / Path((work_dir / "last_checkpoint").read_text()).name)


def result(work_dir: Path) -> dict[str, Any]:
    """The result without what no two runs share."""
    found = json.loads((work_dir / "result.json").read_text())
    for key in ("digest", "wall_seconds"):
        found.pop(key, None)
    return found


def state(work_dir: Path) -> dict[str, Any]:
    """All that a run comes to, flat: weights, optimizer, schedules, logged values, result."""
    checkpoint = last(work_dir)
    hub = checkpoint["message_hub"]
    logged = {
        name: buffer.data
        for name, buffer in hub["log_scalars"].items()
        if not name.endswith("time") and "memory" not in name
    }
    kept = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    facts = {
        "epoch and step": [checkpoint["meta"][key] for key in ("epoch", "iter")],
        "logged": logged,
        "history": hub["runtime_info"]["history"],
        "result": result(work_dir),
        **{key: checkpoint[key] for key in kept if key in checkpoint},
    }
    return flat(facts)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(place), item) for place, item in enumerate(value)]
    else:
        return {path: value.tolist() if hasattr(value, "tolist") else value}
    return {key: one for name, item in items for key, one in flat(item, f"{path}/{name}").items()}


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Keys whose values are not the same, to the last bit."""
    keys = [*one, *(key for key in other if key not in one)]
    return [key for key in keys if one.get(key, "missing") != other.get(key, "missing")]


def in_child(function: Callable[..., None], *args: Any) -> int:
    """Call in a forked process, which may kill itself. Its exit code; -9 is SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=_called, args=(function, args))
    process.start()
    process.join(timeout=120)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"{function.__name__}{args} did not end")
    assert process.exitcode is not None
    return process.exitcode


def _called(function: Callable[..., None], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    gc.freeze()  # MMEngine collects garbage for every data set: what was there before is none
    try:
        function(*args)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def train_in_child(cfg: Config, work_dir: Path, resume: bool = False) -> None:
    train(single(cfg, work_dir), resume=resume)
