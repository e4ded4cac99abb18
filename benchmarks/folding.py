#!/usr/bin/env python
"""Batch norms folded in every network of ``configs/networks``: how many, and the relative error.

python benchmarks/folding.py                          all networks, some minutes on a CPU
python benchmarks/folding.py cifar_ --times --threads 1         those of CIFAR, with speed-ups

Weights are initial ones, and batch norms have random statistics, as a training would leave them.
The error is the largest absolute difference of the logits, divided by the largest absolute logit.
Times are processor times of a pass in eval mode, in turn in one process; a speed-up is the median
of rounds, with quartiles: of folding alone, and with channels last.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from cls_kd.core.fast_pass import agreement, prefers_channels_last, set_layout
from cls_kd.core.folding import Folding
from cls_kd.distillers.networks import build_network
from cls_kd.engine import read_config
from cls_kd.engine.compat import prepare_process
from cls_kd.signals.heads import logits_of

NETWORKS = Path(__file__).parents[1] / "configs" / "networks"


def images_for(name: str, count: int) -> Tensor:
    """Noise of the size of the network's images; smaller for the CNNs of ImageNet."""
    if name.startswith("digits"):
        return torch.randn(count, 1, 8, 8)
    tokens = any(word in name for word in ("deit", "swin", "mixer", "resmlp"))
    size = 32 if name.startswith("cifar") else 224 if tokens else 64
    return torch.randn(count, 3, size, size)


def with_statistics(network: nn.Module) -> nn.Module:
    """In eval mode, with batch norms as after a training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    network.eval()
    return network


@torch.no_grad()
def measure(name: str, args: argparse.Namespace) -> str:
    """A line of the table."""
    torch.manual_seed(0)
    network = build_network(read_config(NETWORKS / f"{name}.py")[name].to_dict())
    network.init_weights()
    with_statistics(network)
    images = images_for(name, 4)
    plain = logits_of(network(images))
    folding = Folding(network, lambda: network(images))
    error = agreement(logits_of(network(images)), plain).error
    preferred = "yes" if prefers_channels_last(network, torch.float32) else "no"
    line = f"| {name} | {len(folding.pairs)} of {folding.norms} | {error:.1e} | {preferred} |"
    if not args.times:
        return line
    images = images_for(name, args.batch_size)
    speed_ups = _speed_ups(network, folding, images, args.rounds)
    return line + "".join(f" {cell} |" for cell in speed_ups)


def _speed_ups(network: nn.Module, folding: Folding, images: Tensor, rounds: int) -> list[str]:
    ratios: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        seconds = []
        for folded, channels_last in ((False, False), (True, False), (True, True)):
            folding.use(folded)
            set_layout(network, channels_last)
            network(images)
            seconds.append(_seconds(lambda: network(images)))
        if number:  # the first round warms up
            ratios[0].append(seconds[0] / seconds[1])
            ratios[1].append(seconds[0] / seconds[2])
    cells = (statistics.quantiles(values, n=4) for values in ratios)
    return [f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in cells]


def _seconds(call: Callable[[], object], least: float = 0.1) -> float:
    started, count = time.process_time(), 0
    while time.process_time() - started < least:
        call()
        count += 1
    return (time.process_time() - started) / count


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[""], help="parts of names (default: all)")
    parser.add_argument("--times", action="store_true", help="speed-ups as well")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=32, help="for times")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> list[str]:
    """Measure, print, return the lines."""
    args = parse_args(argv)
    prepare_process()
    logging.disable(logging.INFO)  # of the initialization of every weight
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    times = " folded | folded, channels last |" if args.times else ""
    print(f"| network | batch norms folded | relative error | channels last |{times}")
    print("|---|---|---|---|" + "---|" * times.count(" |"))
    lines = []
    for file in sorted(NETWORKS.glob("*.py")):
        if any(name in file.stem for name in args.names):
            lines.append(measure(file.stem, args))
            print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    main()
