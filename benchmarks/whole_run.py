#!/usr/bin/env python
"""Time of a whole training: as many epochs as fit into some minutes, extrapolated to all of them.

python benchmarks/whole_run.py                     CRD, ResNet32x4 to ResNet8x4, for 7 minutes
python benchmarks/whole_run.py --images 200 --test-images 100 --minutes 0.2 --batch-size 20

The run is that of ``cls-kd train``: runner, validation, checkpoints. The data are synthetic images
in the form of CIFAR-100, of the size and the number of the original, and the teacher is untrained:
the time says how long a training takes, and its accuracy says nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from cls_kd.data.synthetic import write_cifar100
from cls_kd.engine import load_config, plan, train
from cls_kd.engine.events import EpochFinished, RunEvent, RunStopped
from cls_kd.runs.config_names import find_config


class Clock:
    """Notes the end of each epoch, and stops the run after some minutes.

    Args:
        minutes: When to stop.
    """

    def __init__(self, minutes: float) -> None:
        self._started = time.perf_counter()
        self._end = self._started + 60 * minutes
        self.times: list[float] = []

    def __call__(self, event: RunEvent) -> None:
        """Look at an event of the run."""
        if not isinstance(event, EpochFinished):
            return
        self.times.append(time.perf_counter())
        if self.times[-1] > self._end and len(self.times) > 1:
            raise RunStopped("The time is over.")

    def seconds(self) -> float:
        """Median time from one epoch's end to the next, validation included."""
        return statistics.median(
            later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)
        )

    def first(self) -> float:
        """Seconds until the first epoch has ended, with everything that comes before."""
        return self.times[0] - self._started


def measure(args: argparse.Namespace, folder: Path) -> str:
    """Train, and say how long it takes."""
    cfg = _config(args, folder)
    (run,) = plan(cfg, folder / "run")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(args.minutes)
    with suppress(RunStopped):
        train(run, on_event=clock)
    epochs, done = cfg.train_cfg.max_epochs, len(clock.times)
    whole = clock.first() + (epochs - 1) * clock.seconds()
    memory = (
        f", {torch.cuda.max_memory_allocated() / 1e9:.2f} GB at most"
        if torch.cuda.is_available()
        else ""
    )
    how = "measured" if done == epochs else f"EXTRAPOLATED from {done} epochs"
    return (
        f"{args.method}, {args.pair}, {args.images:,} images, batches of {args.batch_size}"
        f"{memory}: {clock.seconds():.2f} s an epoch with its validation; {epochs} epochs in "
        f"{whole / 60:.1f} minutes ({how})."
    )


def _config(args: argparse.Namespace, folder: Path) -> Config:
    cfg = load_config(find_config(args.pair), method=args.method, amp=args.amp)
    write_cifar100(folder / "data", train=args.images, test=args.test_images, seed=0)
    data: dict[str, Any] = {"data_root": str(folder / "data"), "checksum": False}
    changes = {
        **{f"{part}_dataloader.dataset": data for part in ("train", "val", "test")},
        "train_dataloader.batch_size": args.batch_size,
        "console_log_level": "ERROR",
        "cuda_graph": args.cuda_graph,
    }
    if args.on_device:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        changes["train_dataloader.dataset.device"] = device
        changes["train_dataloader.num_workers"] = 0
    cfg.merge_from_dict(changes)
    cfg.model.teacher.weights = "random"
    return cfg


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pairs/cifar100/resnet32x4_resnet8x4")
    parser.add_argument("--method", default="crd")
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--amp", action="store_true", help="bfloat16")
    parser.add_argument("--cuda-graph", action="store_true")
    parser.add_argument("--on-device", action="store_true", help="the images lie on the GPU")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> str:
    """Measure, print, return."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        line = measure(args, Path(folder))
    print(line)
    return line


if __name__ == "__main__":
    main()
