#!/usr/bin/env python
"""Images a second on one core: crop, flip, normalize, here, by mmpretrain and by torchvision.

python benchmarks/input_pipeline.py                    about a minute
python benchmarks/input_pipeline.py --clock cpu        where others work on the machine

All three get the same made-up images, 32x32, already in memory, in a shuffled order, and end with a
normalized float32 batch; none uses a worker process. They run in turn in one process with one
thread, some seconds each, several times over; the table has the median over the rounds. `copy` does
nothing but read the uint8 images in order and write them as float32: no pipeline that gives such
batches can be faster than the memory that this shows.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mmpretrain.datasets
import numpy as np
import torch
import torchvision
from mmengine.dataset import DefaultSampler
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor

from cls_kd.data import BatchPreprocessor, ImagesInMemory, RandomCropFlip
from cls_kd.data.cifar100_superclasses import SUPERCLASSES
from cls_kd.data.synthetic import Painter
from cls_kd.engine import DistillRunner
from cls_kd.engine.compat import keep_freed_memory

MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
SCALED = dict(mean=[255 * one for one in MEAN], std=[255 * one for one in STD], num_classes=100)
Batches = Callable[[], Iterator[Tensor]]
"""One epoch of normalized batches."""


class Ours(ImagesInMemory):
    """Of the images at hand."""

    SPLITS = ("train",)

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.given = images, labels
        super().__init__(pipeline=[PackInputs()])

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Already there."""
        return self.given


class Mmpretrains(mmpretrain.datasets.CIFAR100):
    """Their class, with these images in place of the files."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.given = images, labels
        pipeline = [
            dict(type="mmpretrain.RandomCrop", crop_size=32, padding=4),
            dict(type="mmpretrain.RandomFlip", prob=0.5, direction="horizontal"),
            dict(type="mmpretrain.PackInputs"),
        ]
        super().__init__(data_root="nowhere", pipeline=pipeline)

    def load_data_list(self) -> list[dict[str, Any]]:
        """As theirs makes it of what it read."""
        pairs = zip(self.given[0].transpose(0, 2, 3, 1), self.given[1], strict=True)
        return [{"img": image, "gt_label": int(label)} for image, label in pairs]


class Torchvisions(torchvision.datasets.CIFAR100):
    """Their class, with these images in place of the files."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.data, self.targets = images.transpose(0, 2, 3, 1), labels.tolist()
        self.transform = Compose(
            [RandomCrop(32, padding=4), RandomHorizontalFlip(), ToTensor(), Normalize(MEAN, STD)]
        )
        self.target_transform = None


def contenders(images: np.ndarray, labels: np.ndarray, batch_size: int) -> dict[str, Batches]:
    """Each makes the same batches in its own way, as its users do."""
    common = dict(batch_size=batch_size, num_workers=0, drop_last=True)
    shuffled = dict(type=DefaultSampler, shuffle=True)
    config = dict(common, sampler=shuffled)
    own = DistillRunner.build_dataloader(dict(config, dataset=Ours(images, labels)), seed=0)
    own_preprocessor = BatchPreprocessor(**SCALED, augment=RandomCropFlip())
    theirs = Runner.build_dataloader(dict(config, dataset=Mmpretrains(images, labels)), seed=0)
    preprocessor = ClsDataPreprocessor(**SCALED)
    plain = DataLoader(Torchvisions(images, labels), shuffle=True, **common)
    memory, copied = torch.from_numpy(images), torch.empty(batch_size, 3, 32, 32)
    return {
        "cls_kd": lambda: (own_preprocessor(data, True)["inputs"] for data in own),
        "mmpretrain": lambda: (preprocessor(data, True)["inputs"] for data in theirs),
        "torchvision": lambda: (batch for batch, _ in plain),
        "copy": lambda: (
            copied.copy_(part) for part in memory.split(batch_size) if len(part) == batch_size
        ),
    }


def rate(batches: Batches, seconds: float, clock: Callable[[], float]) -> float:
    """Images a second over at least ``seconds``, in whole batches; the first one is not counted."""
    endless = itertools.chain.from_iterable(batches() for _ in itertools.count())
    count, start = -len(next(endless)), clock()
    for batch in endless:
        count += len(batch)
        if count <= 0:
            start = clock()
        elif clock() - start >= seconds:
            break
    return count / (clock() - start)


@dataclass
class Outcome:
    """Images a second of each contender, round by round."""

    rates: dict[str, list[float]]

    def ratio(self, other: str) -> tuple[float, float, float]:
        """cls_kd's rate divided by another's of the same round: quartiles."""
        pairs = zip(self.rates["cls_kd"], self.rates[other], strict=True)
        low, middle, high = statistics.quantiles((own / one for own, one in pairs), n=4)
        return low, middle, high

    def table(self) -> str:
        """In Markdown."""
        lines = ["| | images a second | cls_kd is as fast, times |", "|---|---|---|"]
        for name, rates in self.rates.items():
            low, middle, high = self.ratio(name)
            times = "" if name == "cls_kd" else f"{middle:.3g} ({low:.3g} to {high:.3g})"
            lines.append(f"| {name} | {statistics.median(rates):,.0f} | {times} |")
        return "\n".join(lines)


def check(known: dict[str, Batches]) -> None:
    """Every contender's batches look alike; the copy's are not normalized."""
    for name, batches in known.items():
        batch = next(batches())
        assert batch.shape[1:] == (3, 32, 32)
        assert batch.dtype == torch.float32
        assert name == "copy" or abs(batch.mean()) < 0.5, name


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20000, help="in memory; default: 20000")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64, as CRD's")
    parser.add_argument("--rounds", type=int, default=7, help="of all contenders; default: 7")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each in a round")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> Outcome:
    """Measure, print, return."""
    args = parse_args(argv)
    torch.set_num_threads(1)
    keep_freed_memory()  # as in a training; for all of them
    init_default_scope("cls_kd")
    labels = np.arange(args.images) % 100
    images = np.concatenate(list(Painter(SUPERCLASSES, 0).paint(labels, 32, 0)))
    known = contenders(images, labels, args.batch_size)
    check(known)
    clock = time.process_time if args.clock == "cpu" else time.perf_counter
    rates: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(args.rounds):
        for name, batches in known.items():
            rates[name].append(rate(batches, args.seconds, clock))
    outcome = Outcome(rates)
    print(outcome.table())
    print(f"Batches of {args.batch_size}, one thread, {args.rounds} rounds, {args.clock} clock.")
    return outcome


if __name__ == "__main__":
    main()
