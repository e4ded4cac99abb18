"""Small trainings for `faults.py`: begun in processes of their own, ended there, and compared."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from cls_kd.cli.failures import explain
from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.distillers.networks import build_network
from cls_kd.engine import load_config, plan, train
from cls_kd.errors import PreemptedError

ROOT = Path(__file__).parents[1]
EPOCHS = 6
REQUEUE, REFUSED, FAILED = 75, 2, 1
"""Exit codes of a child: ended by a signal with a checkpoint; with one message; otherwise."""

_MIXUP = {
    "data_preprocessor.batch_augments": {
        "augments": [{"type": "Mixup", "alpha": 0.8}, {"type": "CutMix", "alpha": 1.0}],
        "probs": [0.4, 0.4],
    }
}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "memory bank (CRD)": (
        "pair",
        "crd",
        {"model.losses.crd.negatives": 32, "model.losses.crd.dim": 8},
    ),
    "EMA": ("pair", "kd", {"custom_hooks": [{"type": "EMAHook", "momentum": 0.1}]}),
    "mixup": ("pair", "kd", _MIXUP),
    "dropout": ("pair", "kd", {"model.student.backbone.dropout": 0.2}),
    "several branches": ("branches", "okdmde", {}),
}
"""Config below ``configs/digits``, method, and changes."""

_DATA = {
    "_delete_": True,
    "type": "cls_kd.data.Digits",
    "split": "train",
    "labelled": 100,
    "pipeline": [
        {"type": "cls_kd.data.RandomShift", "pixels": 1},
        {"type": "mmpretrain.datasets.transforms.PackInputs"},
    ],
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    fault: str
    tries: int
    outcome: str


def config(kind: str, teacher: Path, epochs: int = EPOCHS) -> Any:
    """A training on 100 digits, with a checkpoint after each epoch of five steps."""
    name, method, changes = KINDS[kind]
    cfg = load_config(ROOT / "configs" / "digits" / f"{name}.py", method=method)
    cfg.pop("runs")
    cfg.param_scheduler[0]["T_max"] = epochs
    if name == "pair":
        cfg.model.teacher["weights"] = str(teacher)
    cfg.merge_from_dict(
        {
            "train_dataloader.batch_size": 20,
            "train_dataloader.dataset": _DATA,
            "val_dataloader.dataset.indices": 60,
            "test_dataloader.dataset.indices": 60,
            "train_cfg.max_epochs": epochs,
            "train_cfg.val_interval": 1,
            "default_hooks.checkpoint.interval": 1,
            "default_hooks.checkpoint.max_keep_ckpts": 2,
            "console_log_level": "ERROR",
            **changes,
        }
    )
    return cfg


def save_teacher(path: Path) -> None:
    """Weights of the teacher, as its initialization has them."""
    init_default_scope("cls_kd")
    torch.manual_seed(1)
    network = build_network(config("EMA", path).model.teacher["network"])
    torch.save({"state_dict": network.state_dict()}, path)


def started(function: Callable[..., None], *args: Any, log: Path) -> Any:
    """Call in a forked process, which writes what it says to ``log``."""
    process = multiprocessing.get_context("fork").Process(
        target=_called, args=(function, args, log)
    )
    process.start()
    return process


def ended(function: Callable[..., None], *args: Any, log: Path, seconds: float = 120) -> int:
    """Exit code of such a process. One that does not end is killed, and counts as -9."""
    process = started(function, *args, log=log)
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return int(process.exitcode or 0)


def _called(function: Callable[..., None], args: tuple[Any, ...], log: Path) -> None:
    os.setpgid(0, 0)  # so that processes left behind can be counted
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    torch.set_num_threads(1)
    code = 0
    try:
        function(*args)
    except PreemptedError as error:
        print(error, file=sys.stderr)
        code = REQUEUE
    except BaseException as error:
        message = explain(error)
        code = FAILED if message is None else REFUSED
        if message is None:
            traceback.print_exc()
        print(f"error: {message or repr(error)}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def train_one(cfg: Any, work_dir: Path) -> None:
    """Train, going on where there is something to go on from."""
    (run,) = plan(cfg, work_dir)
    train(run, resume=True)


def killed_after(process: Any, seconds: float, number: int = signal.SIGKILL) -> int:
    """Send a signal after some time, and wait; the exit code."""
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, number)
    process.join(120)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return -signal.SIGALRM
    return int(process.exitcode)


def last(work_dir: Path) -> dict[str, Any]:
    """The checkpoint that the pointer names."""
    return read_checkpoint(work_dir / Path((work_dir / "last_checkpoint").read_text()).name)


def state(work_dir: Path) -> dict[str, Any]:
    """All that a finished training comes to, flat: weights, optimizer, history, result."""
    checkpoint = last(work_dir)
    result = json.loads((work_dir / "result.json").read_text())
    for key in ("digest", "wall_seconds"):
        result.pop(key, None)
    kept = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    parts = {key: checkpoint[key] for key in kept if key in checkpoint}
    history = checkpoint["message_hub"]["runtime_info"]["history"]
    return _flat({**parts, "history": history, "result": result})


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {path: value.tolist() if hasattr(value, "tolist") else value}
    return {
        key: leaf for name, item in items for key, leaf in _flat(item, f"{path}/{name}").items()
    }


def differences(work_dir: Path, other: Path) -> list[str]:
    """What differs, to the last bit, between two finished trainings."""
    first, second = state(work_dir), state(other)
    keys = [*first, *(key for key in second if key not in first)]
    return [key for key in keys if first.get(key, "missing") != second.get(key, "missing")]


def leftovers(folder: Path) -> list[str]:
    """Temporary files."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*.tmp")]


def processes_of(group: int) -> list[int]:
    """Living processes of a process group."""
    members = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if entry.name.isdigit() and int(fields[2]) == group and fields[0] != "Z":
            members.append(int(entry.name))
    return members


def left_behind(group: int, seconds: float = 5.0) -> list[int]:
    """Processes of a group that are still there some time after their first one has ended."""
    end = time.monotonic() + seconds
    while processes_of(group) and time.monotonic() < end:
        time.sleep(0.1)
    return processes_of(group)


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Poll; False where it took too long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
