#!/usr/bin/env python
"""Kill trainings while they store their teacher's outputs, and look for a wrong row.

python benchmarks/store_kills.py --kills 20

A training on the digits is started in a process of its own and killed (SIGKILL) at a random moment
after its first row; two of them store at the same time. Every row that is there is then compared
with what the teacher computes, bit for bit, and the next training goes on with the same store. In
the end a training that replays must give the weights of one that has never been interrupted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from cls_kd.distillers.networks import build_network
from cls_kd.engine import load_config, plan, train
from cls_kd.teacher_store import StoreEntry, entries

EPOCHS = 400
ROOT = Path(__file__).parents[1]
DATA = {
    "type": "cls_kd.data.Digits",
    "split": "train",
    "labelled": 100,
    "pipeline": [
        {"type": "cls_kd.data.RandomShift", "pixels": 1},
        {"type": "mmpretrain.datasets.transforms.PackInputs"},
    ],
}


def config(stores: Path, weights: Path, epochs: int, verify: float = 0.0) -> Any:
    """A training on 100 digits; each epoch has rows of its own."""
    options = {
        "train_dataloader.batch_size": 10,
        "val_dataloader.dataset.indices": 20,
        "test_dataloader.dataset.indices": 20,
        "train_cfg.max_epochs": epochs,
        "train_cfg.val_interval": epochs,
        "console_log_level": "ERROR",
    }
    cfg = load_config(ROOT / "configs" / "digits" / "pair.py", method="kd", options=options)
    cfg.pop("runs")
    cfg.train_dataloader["dataset"] = DATA
    cfg.param_scheduler[0]["T_max"] = epochs
    store = {"dir": str(stores), "verify": verify}
    cfg.model.teacher.update(weights=str(weights), store=store)
    return cfg


def run(cfg: Any, work_dir: Path) -> None:
    """Train, with nothing on the terminal."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    torch.set_num_threads(1)
    (planned,) = plan(cfg, work_dir)
    train(planned)


def started(cfg: Any, work_dir: Path) -> Any:
    """A training in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(cfg, work_dir))
    process.start()
    return process


def stored(stores: Path) -> StoreEntry | None:
    """The store, once it has a row."""
    return next((entry for entry in entries(stores) if entry.rows), None)


def rows_of(stores: Path) -> int:
    """Number of rows that are there."""
    entry = stored(stores)
    return entry.rows if entry else 0


def main() -> None:
    """Kill, compare, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default: 0")
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores, weights = folder / "stores", folder / "teacher.pth"
        save_teacher(weights)
        for kill in range(args.kills):
            before = rows_of(stores)
            cfg = config(stores, weights, EPOCHS)
            processes = [started(cfg, folder / f"run_{kill}_{rank}") for rank in range(2)]
            while rows_of(stores) <= before and all(p.is_alive() for p in processes):
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.5))
            for process in processes:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
            assert all(process.exitcode == -signal.SIGKILL for process in processes)
            print(f"kill {kill + 1}: {rows_of(stores)} rows", flush=True)
        compare(stores, weights, folder)


def save_teacher(path: Path) -> None:
    """Weights of a teacher, as its initialization has them."""
    init_default_scope("cls_kd")
    torch.manual_seed(1)
    network = build_network(config(path, path, 1).model.teacher["network"])
    torch.save({"state_dict": network.state_dict()}, path)


def compare(stores: Path, weights: Path, folder: Path) -> None:
    """Replay what is there, verified; and against a training that computes everything."""
    filled = rows_of(stores)
    epochs = -(-filled // 100)
    for label, directory, verify in (
        ("all rows", stores, 0.0),
        ("verified", stores, 1.0),
        ("computed", folder / "fresh", 0.0),
    ):
        cfg = config(directory, weights, min(epochs, EPOCHS), verify)
        process = started(cfg, folder / label)
        process.join()
        if process.exitcode:
            sys.exit(f"The training {label!r} failed: a wrong row, or another fault.")
    results = [
        torch.load(next((folder / label).glob("epoch_*.pth")), weights_only=False)["state_dict"]
        for label in ("all rows", "verified", "computed")
    ]
    for key, value in results[0].items():
        assert all(torch.equal(value, other[key]) for other in results[1:]), key
    log = "".join(file.read_text() for file in (folder / "all rows").glob("*/*.log"))
    misfits = log.count("did not fit")
    print(
        f"{filled} rows were there after the last kill; {epochs} epochs replayed, verified and "
        f"computed anew end with the same weights, bit for bit. Epochs with a row that did not fit "
        f"its tag: {misfits}."
    )


if __name__ == "__main__":
    main()
