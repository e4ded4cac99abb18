#!/usr/bin/env python
"""Test: a checkpoint of a config's student, or the config's teacher, on its test data.

python tools/test.py configs/digits/pair.py work_dirs/pair/student/epoch_20.pth
python tools/test.py configs/digits/pair.py --network teacher

It trains nothing, and writes nothing but --out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from rich.console import Console
from rich.table import Table

from cls_kd.engine import load_config
from cls_kd.engine.cli import add_config_options, parse_launched, run_tool
from cls_kd.engine.compat import init_distributed
from cls_kd.engine.evaluate import Evaluation, evaluate_student, evaluate_teachers
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import Run, choose, default_work_dir, expand, plan

_COLUMNS = 4
"""So many metrics stand side by side; of more, all but the first get a row each."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="path of a config")
    parser.add_argument(
        "checkpoint", nargs="?", help="of ours or plain (teacher: default, what the config names)"
    )
    parser.add_argument("--network", choices=["student", "teacher"], default="student")
    parser.add_argument("--run", metavar="NAME", help="which of the config's runs (the last)")
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--out", metavar="JSON", help="write the metrics to this file")
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    parser.add_argument("--method", help="as of tools/train.py, where the config was trained so")
    parser.add_argument("--work-dir", help="where the config's runs are, if a teacher is one")
    add_config_options(parser)
    return parse_launched(parser)


def main() -> None:
    args = parse_args()
    if args.network == "student" and args.checkpoint is None:
        raise UserError("Which checkpoint? tools/test.py CONFIG CHECKPOINT")
    if args.out is not None and not Path(args.out).parent.is_dir():
        raise UserError(f"--out {args.out}: there is no folder {Path(args.out).parent}.")
    cfg = load_config(args.config, method=args.method, options=args.cfg_options)
    work_dir = Path(
        args.work_dir or cfg.get("work_dir") or default_work_dir(args.config, args.method, cfg)
    )
    # A teacher may be what an earlier run left; a student needs nothing but its checkpoint.
    known = plan if args.network == "teacher" and args.checkpoint is None else expand
    run = choose(known(cfg, work_dir), args.run)
    init_distributed(args.launcher)
    found = evaluate(run, args)
    if is_main_process():
        show(run, args, found)
        if args.out is not None:
            write_atomically(Path(args.out), json.dumps(summary(run, args, found), indent=1))
            print("Written:", args.out)


def evaluate(run: Run, args: argparse.Namespace) -> list[Evaluation]:
    if args.network == "student":
        return [evaluate_student(run.cfg, args.checkpoint, args.split, amp=args.amp)]
    cfg = run.resolved() if run.needs else run.cfg
    return evaluate_teachers(cfg, args.checkpoint, args.split, amp=args.amp)


def show(run: Run, args: argparse.Namespace, found: list[Evaluation]) -> None:
    names = list(found[0].metrics)
    shown = names if len(names) <= _COLUMNS else names[:1]
    table = Table(title=f"{args.config}{f', run {run.name}' if run.name else ''}")
    for title in ("network", "data", "images", *shown):
        table.add_column(title, justify="left" if title in ("network", "data") else "right")
    for place, one in enumerate(found):
        network = f"{args.network} {place}" if len(found) > 1 else args.network
        figures = [_figure(one.metrics[name]) for name in shown]
        table.add_row(network, args.split, f"{one.images:,}", *figures)
    console = Console()
    console.print(table)
    if len(names) > len(shown):
        console.print(_list_of(names[len(shown) :], found))
    for one in found:
        console.print(one.note, highlight=False)


def _list_of(names: list[str], found: list[Evaluation]) -> Table:
    """Metrics that would not fit side by side: one row each."""
    table = Table("metric", *("" for _ in found))
    for name in names:
        table.add_row(name, *(_figure(one.metrics[name]) for one in found))
    return table


def summary(run: Run, args: argparse.Namespace, found: list[Evaluation]) -> dict[str, Any]:
    facts = {"config": args.config, "run": run.name, "network": args.network, "split": args.split}
    evaluations = [vars(one) for one in found]
    return {**facts, "checkpoint": args.checkpoint, "amp": args.amp, "evaluations": evaluations}


def _figure(value: float | list[float]) -> str:
    return f"{value:.2f}" if isinstance(value, float) else " ".join(f"{one:.2f}" for one in value)


if __name__ == "__main__":
    run_tool(main)
