"""``cls-kd choose``: methods compared within a budget, until the best cannot be told apart."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from cls_kd.cli.options import add_config, add_jobs, add_work_dir, names, seconds
from cls_kd.engine.choosing.choose import ChooseRequest, choose
from cls_kd.runs.sweep import ALL

EXAMPLES = (
    "cls-kd choose digits/pair --budget 30m",
    "cls-kd choose digits/pair --budget 10m --methods kd,dkd,nkd,dist --jobs 2",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument(
        "--budget",
        type=seconds,
        required=True,
        metavar="TIME",
        help="time that the training may take, as estimated from some steps: 90s, 30m, 8h",
    )
    parser.add_argument(
        "--methods",
        type=names,
        default=[ALL],
        metavar="NAMES",
        help="separated by commas; default: all that can be composed with the config",
    )
    add_jobs(parser)
    add_work_dir(parser, "where the runs go")


def run(args: argparse.Namespace) -> None:
    """Compare, and write what was found."""
    folder = args.work_dir or Path("work_dirs", f"choose_{Path(args.config).stem}")
    request = ChooseRequest(
        config=args.config,
        methods=tuple(args.methods),
        work_dir=Path(folder),
        budget=args.budget,
        jobs=args.jobs,
        cfg_options=args.cfg_options or {},
    )
    console = Console(highlight=False, soft_wrap=True)
    chosen = choose(request, console.print)
    for line in chosen.summary():
        console.print(line)
    for name, reason in chosen.problems.items():
        console.print(f"left out: {name}: {reason}", style="red", markup=False)
    expected = timedelta(seconds=round(chosen.plan.expected_seconds))
    console.print(f"Training time as planned: at most {expected}.")
    console.print("Written:", *chosen.write(), sep="\n  ")
