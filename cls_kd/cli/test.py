"""``cls-kd test``: metrics of a checkpoint of a config's student, or of the config's teachers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from rich.console import Console
from rich.table import Table

from cls_kd.cli.experiment import open_experiment
from cls_kd.cli.options import (
    add_config,
    add_launcher,
    add_method,
    add_run,
    add_work_dir,
    join_processes,
)
from cls_kd.engine.evaluate import Evaluation, evaluate_student, evaluate_teachers
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import Run, choose, expand

_COLUMNS = 4
"""So many metrics stand side by side; of more, all but the first get a row each."""


EXAMPLES = (
    "cls-kd test digits/pair work_dirs/pair/kd/epoch_20.pth",
    "cls-kd test digits/pair --network teacher --out teacher.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument(
        "checkpoint", nargs="?", help="of ours or plain (teacher: default, what the config names)"
    )
    parser.add_argument("--network", choices=["student", "teacher"], default="student")
    add_run(parser, "which of the config's runs; default: the last")
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--out", metavar="JSON", help="write the metrics to this file")
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    add_method(parser)
    add_work_dir(parser, "where the config's runs are, if a teacher is one")
    add_launcher(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate, print, and write ``--out``."""
    if args.network == "student" and args.checkpoint is None:
        raise UserError("Which checkpoint? cls-kd test CONFIG CHECKPOINT")
    if args.out is not None and not Path(args.out).parent.is_dir():
        raise UserError(f"--out {args.out}: there is no folder {Path(args.out).parent}.")
    experiment = open_experiment(args)
    # A teacher may be what an earlier run left; a student needs nothing but its checkpoint.
    if args.network == "teacher" and args.checkpoint is None:
        runs = experiment.runs()
    else:
        runs = expand(experiment.cfg, experiment.work_dir)
    chosen = choose(runs, args.run)
    join_processes(args)
    evaluations = _evaluate(chosen, args)
    if is_main_process():
        _show(chosen, args, evaluations)
        if args.out is not None:
            write_atomically(
                Path(args.out), json.dumps(_summary(chosen, args, evaluations), indent=1)
            )
            print("Written:", args.out)


def _evaluate(run: Run, args: argparse.Namespace) -> list[Evaluation]:
    if args.network == "student":
        return [evaluate_student(run.cfg, args.checkpoint, args.split, amp=args.amp)]
    cfg = run.resolved() if run.depends_on else run.cfg
    return evaluate_teachers(cfg, args.checkpoint, args.split, amp=args.amp)


def _show(run: Run, args: argparse.Namespace, evaluations: list[Evaluation]) -> None:
    names = list(evaluations[0].metrics)
    shown = names if len(names) <= _COLUMNS else names[:1]
    table = Table(title=f"{args.config}{f', run {run.name}' if run.name else ''}")
    for title in ("network", "data", "images", *shown):
        table.add_column(title, justify="left" if title in ("network", "data") else "right")
    for number, evaluation in enumerate(evaluations):
        network = f"{args.network} {number}" if len(evaluations) > 1 else args.network
        figures = [_figure(evaluation.metrics[name]) for name in shown]
        table.add_row(network, args.split, f"{evaluation.images:,}", *figures)
    console = Console()
    console.print(table)
    if len(names) > len(shown):
        console.print(_list_of(names[len(shown) :], evaluations))
    for evaluation in evaluations:
        console.print(evaluation.note, highlight=False)


def _list_of(names: list[str], evaluations: list[Evaluation]) -> Table:
    """Metrics that would not fit side by side: one row each."""
    table = Table("metric", *("" for _ in evaluations))
    for name in names:
        table.add_row(name, *(_figure(evaluation.metrics[name]) for evaluation in evaluations))
    return table


def _summary(run: Run, args: argparse.Namespace, evaluations: list[Evaluation]) -> dict[str, Any]:
    facts = {"config": args.config, "run": run.name, "network": args.network, "split": args.split}
    results = [vars(evaluation) for evaluation in evaluations]
    return {**facts, "checkpoint": args.checkpoint, "amp": args.amp, "evaluations": results}


def _figure(value: float | list[float]) -> str:
    return (
        f"{value:.2f}"
        if isinstance(value, float)
        else " ".join(f"{number:.2f}" for number in value)
    )
