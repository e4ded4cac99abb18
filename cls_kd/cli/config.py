"""``cls-kd config``: a config after inheritance, composition and options, as Python that trains."""

from __future__ import annotations

import argparse
import sys

from mmengine.config import Config

from cls_kd.cli.experiment import Experiment, open_experiment
from cls_kd.cli.options import add_config_or_benchmark, add_method, add_run, add_work_dir
from cls_kd.errors import UserError
from cls_kd.runs import choose

EXAMPLES = (
    "cls-kd config digits/pair --method nkd > pair_nkd.py",
    "cls-kd config --benchmark dkd/cifar100/vgg13_vgg8",
    "cls-kd config configs/digits/pair.py --run teacher > teacher.py",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_or_benchmark(parser)
    add_method(parser)
    add_run(parser, "print one of the config's runs, alone")
    add_work_dir(parser, "where the runs are that it builds on")


def run(args: argparse.Namespace) -> None:
    """Print."""
    experiment = open_experiment(args)
    cfg = experiment.cfg if args.run is None else _of_run(experiment, args.run)
    print(cfg.pretty_text)


def _of_run(experiment: Experiment, name: str) -> Config:
    chosen = choose(experiment.runs(), name)
    try:
        resolved = chosen.resolved()
    except UserError as error:
        print(f"note: {error} It stands as 'run:NAME', and will not train so.", file=sys.stderr)
        return chosen.cfg
    resolved.pop("work_dir")
    return resolved
