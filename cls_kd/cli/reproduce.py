"""``cls-kd reproduce``: the runs of a published result, and ours beside it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from rich.console import Console
from rich.table import Table

from cls_kd.cli.options import (
    add_config_options,
    add_launcher,
    add_work_dir,
    join_processes,
    seed_list,
)
from cls_kd.distillers.convert import convert_file
from cls_kd.distillers.networks import build_network
from cls_kd.engine import load_config, train_runs
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.durations import duration_text
from cls_kd.engine.estimate import SECONDS, estimate
from cls_kd.engine.evaluate import evaluate_teachers
from cls_kd.engine.loaders import build_loader
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.reporting.metrics import DEFAULT
from cls_kd.reporting.reproduction import reproduction_markdown
from cls_kd.runs import Run, check_unchanged
from cls_kd.runs.benchmarks import Cell, find_cell
from cls_kd.runs.reproduction import missing_teacher, seed_runs, teacher_config, teacher_run

EXAMPLES = (
    "cls-kd reproduce dkd/cifar100/resnet32x4_resnet8x4 --seeds 0-4",
    "cls-kd reproduce kd/cifar100/vgg13_vgg8 --teacher ckpt_epoch_240.pth --dry-run",
)
REPORT = "reproduction.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("cell", help="METHOD/DATA/PAIR, as `cls-kd benchmarks` lists them")
    parser.add_argument(
        "--seeds",
        type=seed_list,
        default=[0],
        metavar="SEEDS",
        help="0-4, or 0,2,5 (default: 0); one seed says nothing about noise",
    )
    parser.add_argument(
        "--teacher",
        metavar="FILE",
        help="published checkpoint of the teacher, which is converted; default: that of the "
        "config, or else one trained here",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check data and teacher, say how long it takes, and stop",
    )
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    add_config_options(parser)
    add_work_dir(parser, "where the runs and their comparison go")
    add_launcher(parser)


def run(args: argparse.Namespace) -> None:
    """Check, estimate, train what is not finished, and compare."""
    cell = find_cell(args.cell)
    cfg = load_config(cell.config, options=args.cfg_options, amp=args.amp)
    work_dir = Path(args.work_dir or Path("work_dirs", "reproductions", cell.name))
    join_processes(args)
    console = Console(quiet=not is_main_process())
    console.print(_published(cell), highlight=False, markup=False, soft_wrap=True)
    _check_data(cfg, console)
    teacher = _teacher(cfg, cell, args, work_dir, console)
    runs = seed_runs(cfg, cell.method, args.seeds, work_dir, teacher)
    planned = [*([teacher] if teacher else []), *runs]
    console.print(_time_table(planned, cell.method))
    if args.dry_run:
        return
    train_runs(planned, resume=True, launcher=args.launcher)
    if is_main_process():
        _report(cell, runs, work_dir, args.cfg_options or {}, console)


def _published(cell: Cell) -> str:
    figure = "no published result" if cell.top1 is None else f"published {cell.top1:.2f} %"
    return f"{cell.name}: {figure} ({cell.source}; epoch: {cell.epoch}; track: {cell.track})"


def _check_data(cfg: Config, console: Console) -> None:
    """Build each data set, which checks its files."""
    prepare_process(cfg.get("default_scope", "cls_kd"))
    for split in ("train", "val", "test"):
        if cfg.get(f"{split}_dataloader"):
            dataset = build_loader(cfg, f"{split}_dataloader").dataset
            console.print(f"Data, {split}: {len(dataset):,} images")  # type: ignore[arg-type]


def _teacher(
    cfg: Config, cell: Cell, args: argparse.Namespace, work_dir: Path, console: Console
) -> Run | None:
    """The run that has to train the teacher; None where there are weights, or is no teacher.

    Raises:
        UserError: A published checkpoint is of another network, or the cell has no teacher.
    """
    missing = missing_teacher(cfg)
    if args.teacher is not None:
        if missing is None:
            raise UserError(
                f"--teacher {args.teacher}: the teacher of {cell.name} has its weights already, "
                "or there is none."
            )
        network = build_network(cfg.model.teacher.network)
        if is_main_process():
            console.print(convert_file(args.teacher, network, missing), highlight=False)
        missing = missing_teacher(cfg)
    if missing is not None:
        console.print(f"Teacher: {missing} does not exist; it is trained first.", highlight=False)
        options = args.cfg_options or {}
        return teacher_run(load_config(teacher_config(missing), amp=args.amp), options, work_dir)
    if cfg.model.get("teacher"):
        for evaluation in evaluate_teachers(cfg):
            console.print(
                f"Teacher: {evaluation.metrics[DEFAULT]:.2f} %, {evaluation.note}; "
                f"published: {'unknown' if cell.teacher is None else f'{cell.teacher:.2f} %'}",
                highlight=False,
            )
    return None


def _time_table(runs: Sequence[Run], method: str) -> Table:
    """Measured on a few steps of the teacher and of one seed."""
    table = Table(title="Time on this machine, from a few steps")
    for title in ("runs", "to train", "ms per step", "each", "together"):
        table.add_column(title, justify="left" if title == "runs" else "right")
    total = 0.0
    for name in dict.fromkeys(run.name for run in runs):
        same = [run for run in runs if run.name == name]
        waiting = [run for run in same if not check_unchanged(run)]
        if not waiting:
            table.add_row(name, "finished", "-", "-", "-")
            continue
        expected = estimate(waiting[0], SECONDS)
        total += len(waiting) * expected.total
        table.add_row(
            name,
            f"{len(waiting)} of {len(same)}",
            f"{1000 * expected.step:.1f}",
            duration_text(expected.total),
            duration_text(len(waiting) * expected.total),
        )
    table.add_section()
    table.add_row("all", "", "", "", duration_text(total))
    return table


def _report(
    cell: Cell, runs: Sequence[Run], work_dir: Path, changes: Mapping[str, Any], console: Console
) -> None:
    results = [result for run in runs if (result := run.result()) is not None]
    text = reproduction_markdown(cell, results, changes)
    write_atomically(work_dir / REPORT, text)
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print("Written:", str(work_dir / REPORT), highlight=False, soft_wrap=True)
