"""``cls-kd tune``: a method's own settings, searched on the validation split."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from cls_kd.cli.options import (
    add_config,
    add_jobs,
    add_work_dir,
    positive,
    seconds,
    seed_list,
)
from cls_kd.engine.tuning.tune import tune
from cls_kd.engine.tuning.tuning import Request

EXAMPLES = (
    "cls-kd tune digits/pair --method at --trials 20",
    "cls-kd tune pairs/cifar100/vgg13_vgg8 --method dkd --budget 8h --seeds 0-4 --jobs 4",
)
_TRIALS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument("--method", required=True, metavar="NAME", help="whose settings")
    parser.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help=f"maximum number of settings; default: {_TRIALS}, or any with --budget",
    )
    parser.add_argument(
        "--budget",
        type=seconds,
        metavar="TIME",
        help="time of the search and its test together: 90s, 30m, 8h",
    )
    parser.add_argument(
        "--seeds",
        type=seed_list,
        default=[0, 1, 2],
        metavar="SEEDS",
        help="of every trial: 0-2, or 0,2,5; default: 0-2",
    )
    add_jobs(parser)
    add_work_dir(parser, "where the study and its runs go")


def run(args: argparse.Namespace) -> None:
    """Search, test, and write what was found."""
    folder = args.work_dir or Path("work_dirs", f"tune_{Path(args.config).stem}_{args.method}")
    request = Request(
        config=args.config,
        method=args.method,
        work_dir=Path(folder),
        seeds=tuple(args.seeds),
        trials=args.trials or (None if args.budget else _TRIALS),
        budget=args.budget,
        jobs=args.jobs,
        cfg_options=args.cfg_options or {},
    )
    console = Console(highlight=False, soft_wrap=True)
    tuned = tune(request, console.print)
    for line in tuned.summary():
        console.print(line)
    best = " ".join(f"model.losses.{name}={value}" for name, value in tuned.best.setting.items())
    console.print(f"Best setting: --cfg-options {best}", markup=False)
    console.print("Written:", *tuned.write(), sep="\n  ")
