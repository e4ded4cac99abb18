#!/usr/bin/env python
"""Time of a training step with a live teacher, and with stored outputs, over the student alone.

python benchmarks/store_cost.py                          on the CPU, some minutes
python benchmarks/store_cost.py --steps 2 --rounds 3     to see that it works
python benchmarks/store_cost.py --ways "student alone" replaying

Each way has its own distiller, of resnet32x4 and resnet8x4 on synthetic images of CIFAR-100's form:
the student alone (cross-entropy), KD with a live teacher, KD that stores its teacher's outputs, and
KD that replays them. A block of steps of each is timed in turn, in one process; the ratio is the
median over the rounds, with quartiles. Steps are whole: preprocessing, losses, backward, optimizer.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from cls_kd.data import synthetic
from cls_kd.engine import load_config
from cls_kd.engine.teacher_stores import prepare_stores, stored_teachers
from cls_kd.engine.train import build_parts
from cls_kd.runs.config_names import find_config

CONFIG = "benchmarks/kd/cifar100/resnet32x4_resnet8x4"
WAYS = ("student alone", "live teacher", "storing", "replaying")


@dataclass
class Way:
    """One way to train, and its seconds a step, a number for each round.

    Attributes:
        step: Does one training step with a batch.
        begin: Called before each block.
    """

    step: Callable[[Any], object]
    begin: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)


def config(root: Path, way: str, stores: Path, batch_size: int) -> Config:
    """The config of a way."""
    dataset = {"data_root": str(root), "checksum": False}
    options: dict[str, Any] = {f"train_dataloader.dataset.{key}": dataset[key] for key in dataset}
    cfg = load_config(find_config(CONFIG), options=options)
    cfg.train_dataloader["batch_size"] = batch_size
    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg.pop(key, None)
        cfg.pop(key.replace("val", "test"), None)
    cfg.cpu_threads = torch.get_num_threads()
    if way == "student alone":
        cfg.model["losses"] = {"ce": {"type": "cls_kd.losses.TaskLoss"}}
        cfg.model["teacher"] = None
        return cfg
    cfg.model.teacher["weights"] = "random"
    if way != "live teacher":
        cfg.model.teacher["store"] = {"dir": str(stores)}
    return cfg


def built(cfg: Config) -> tuple[Way, Any]:
    """A way, and its loader."""
    model, loaders, optimizer = build_parts(cfg)
    loader = loaders["train_dataloader"]
    model.train()
    epochs = itertools.count()

    def begin() -> None:
        model.time.max_epochs, model.time.epoch = 10**6, next(epochs)

    way = Way(lambda batch: model.train_step(batch, optimizer))
    prepare_stores(cfg, model, loader.dataset)
    for teacher in stored_teachers(model):
        teacher.open(print)
        way.begin = begin  # with crops of an epoch that no block has seen
    return way, loader


def measure(args: argparse.Namespace) -> dict[str, Way]:
    """Time all ways."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = max(args.steps * args.batch_size, 100)
        synthetic.write_cifar100(root / "data", train=images, test=100, seed=0)
        ways = {}
        for name in args.ways:
            stores = root / name
            cfg = config(root / "data", name, stores, args.batch_size)
            ways[name], loader = built(cfg)
        batches = list(itertools.islice(loader, args.steps))
        if "replaying" in ways:
            ways["replaying"].begin = lambda: None
            for batch in batches:
                ways["replaying"].step(batch)
        for number in range(args.rounds + 1):
            for way in ways.values():
                way.begin()
                start = time.process_time()
                for batch in batches:
                    way.step(batch)
                if number:  # the first round warms up
                    way.seconds.append((time.process_time() - start) / args.steps)
    return ways


def row(name: str, way: Way, alone: Way) -> str:
    """A line of the table."""
    ratios = [mine / other for mine, other in zip(way.seconds, alone.seconds, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    step = 1e3 * statistics.median(way.seconds)
    return f"| {name} | {step:.1f} | {middle:.3f} ({low:.3f} to {high:.3f}) |"


def main(arguments: Sequence[str] | None = None) -> list[str]:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5, help="steps of a block; default: 5")
    parser.add_argument("--rounds", type=int, default=15, help="blocks of each way; default: 15")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="default: all")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    ways = measure(args)
    table = ["| training | ms a step | over the first |", "|---|---|---|"]
    table += [row(name, way, next(iter(ways.values()))) for name, way in ways.items()]
    print("\n".join(table))
    return table


if __name__ == "__main__":
    main()
