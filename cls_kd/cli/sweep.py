"""``cls-kd sweep``: pairs, methods and seeds; what is finished is not trained again."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cls_kd.cli.options import (
    KeyValues,
    add_config_options,
    add_jobs,
    add_together,
    names,
    seed_list,
)
from cls_kd.engine import load_config
from cls_kd.engine.cohort_executor import group_to_train, show
from cls_kd.engine.durations import duration_text
from cls_kd.engine.execute import Executor
from cls_kd.engine.serial_executor import SerialExecutor
from cls_kd.engine.slurm_executor import SlurmExecutor
from cls_kd.engine.sweep import Forecast, Plan, forecasts, train_sweep, without_problems
from cls_kd.engine.worker_executor import WorkerExecutor
from cls_kd.errors import UserError
from cls_kd.reporting import make_report
from cls_kd.reporting.collect import results_under
from cls_kd.runs import Run, check_unchanged
from cls_kd.runs.cohorts import MAX_MEMBERS
from cls_kd.runs.sweep import STUDENT, Sweep, plan_sweep, read_sweep

EXAMPLES = (
    "cls-kd sweep --pairs digits/pair --methods kd,nkd,at --seeds 0-2 --jobs 2",
    "cls-kd sweep configs/my_sweep.py --work-dir work_dirs/my_sweep --dry-run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "sweep",
        nargs="?",
        metavar="SWEEP.py",
        help="holds sweep = dict(pairs=[...], methods=[...], seeds=[...]); or give the options",
    )
    parser.add_argument("--pairs", type=names, help="configs of pairs, separated by commas")
    parser.add_argument("--methods", type=names, help="methods, separated by commas, or 'all'")
    parser.add_argument("--seeds", type=seed_list, metavar="SEEDS", help="0-2, or 0,2,5")
    add_jobs(parser)
    add_together(parser, MAX_MEMBERS, f"default: {MAX_MEMBERS}; 1 trains each alone")
    parser.add_argument(
        "--executor",
        choices=["local", "slurm"],
        default="local",
        help="where runs are trained: on this machine, or each as a job of Slurm; default: "
        "%(default)s",
    )
    parser.add_argument(
        "--slurm",
        nargs="+",
        action=KeyValues,
        default={},
        metavar="KEY=VALUE",
        help="parameters of the jobs: timeout_min=240 gpus_per_node=1 slurm_partition=gpu",
    )
    parser.add_argument(
        "--work-dir", metavar="DIR", help="where the runs go; default: work_dirs/sweep"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be trained and how long; stop"
    )
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Forecast, train, report; 1 if a run has failed."""
    sweep = _sweep(args)
    work_dir = Path(args.work_dir or _default_work_dir(args))
    plan = plan_sweep(sweep, work_dir, load_config)
    console = Console()
    expected = list(forecasts(plan))
    if sweep.takes_all:
        plan = without_problems(plan, expected)
    _show(expected, args.jobs, console)
    if args.together > 1:
        _show_groups(plan, args.together, console)
    if args.dry_run:
        return 0
    executor = _executor(args, sweep, work_dir)
    failures = train_sweep(plan, work_dir, executor, Console(stderr=True))
    _report(plan, work_dir, console)
    for title, reason in failures.items():
        line = f"failed: {title}: {reason}"
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    if failures:
        console.print(
            f"{len(failures)} runs have failed; the same command tries them again.",
            highlight=False,
        )
    return int(bool(failures))


def _sweep(args: argparse.Namespace) -> Sweep:
    """The sweep of the file, with what the options replace.

    Raises:
        UserError: Neither says which pairs and methods.
    """
    given = {
        key: getattr(args, key)
        for key in ("pairs", "methods", "seeds", "cfg_options")
        if getattr(args, key) is not None
    }
    if args.sweep is None:
        for key in ("pairs", "methods"):
            if key not in given:
                raise UserError(f"Name a SWEEP.py, or say which --{key}.")
        return Sweep.of(given)
    sweep = read_sweep(args.sweep)
    options = {**sweep.cfg_options, **given.pop("cfg_options", {})}
    merged = {**dataclasses.asdict(sweep), **given, "cfg_options": options}
    return Sweep.of(merged)


def _default_work_dir(args: argparse.Namespace) -> Path:
    return Path("work_dirs", Path(args.sweep).stem if args.sweep else "sweep")


def _executor(args: argparse.Namespace, sweep: Sweep, work_dir: Path) -> Executor:
    if args.executor == "slurm":
        return SlurmExecutor(work_dir, {**sweep.slurm, **args.slurm}, args.together)
    if args.jobs == 1:
        return SerialExecutor(max_members=args.together)
    return WorkerExecutor(args.jobs, max_members=args.together)


def _show(expected: Sequence[Forecast], jobs: int, console: Console) -> None:
    """A table of what is finished, and of the time and disk that the rest takes."""
    table = Table(title="Runs, with time and disk measured on a few steps")
    for title in ("pair", "run", "finished", "each", "together", "disk"):
        table.add_column(title, justify="left" if title in ("pair", "run") else "right")
    for forecast in expected:
        table.add_row(*_forecast_row(forecast))
    console.print(table)
    measured = [
        (forecast.open, forecast.each) for forecast in expected if forecast.each is not None
    ]
    seconds = sum(count * each.total for count, each in measured)
    disk = sum(count * each.disk for count, each in measured)
    open_runs = sum(forecast.open for forecast in expected)
    count = sum(forecast.count for forecast in expected)
    console.print(
        f"{count} runs, {count - open_runs} finished; {open_runs} to train: about "
        f"{duration_text(seconds / jobs)} with {jobs} at a time, {_megabytes(disk)} MB of "
        "checkpoints.",
        highlight=False,
        soft_wrap=True,
    )


def _show_groups(plan: Plan, most: int, console: Console) -> None:
    """The open runs that are trained together, those that are not, and why."""
    runs = [run for of_pair in plan.values() for run in of_pair if not check_unchanged(run)]
    show(group_to_train(runs, True, most), console)


def _forecast_row(forecast: Forecast) -> tuple[str, ...]:
    finished = f"{forecast.count - forecast.open} of {forecast.count}"
    if forecast.each is None:
        reason = forecast.problem and escape(f"cannot be built: {forecast.problem}")
        return forecast.pair, forecast.name, finished, "-", reason or "-", "-"
    return (
        forecast.pair,
        forecast.name,
        finished,
        duration_text(forecast.each.total),
        duration_text(forecast.open * forecast.each.total),
        f"{_megabytes(forecast.open * forecast.each.disk)} MB",
    )


def _report(plan: Plan, work_dir: Path, console: Console) -> None:
    """A report of each pair that has a finished run."""
    for pair, runs in plan.items():
        folder = work_dir / pair
        if not results_under(folder):
            continue
        references = _teachers(runs)
        report = make_report(folder, baseline=_baseline(folder), references=references)
        report.show(console)
        console.print("Written:", *report.write(folder), sep="\n  ")


def _teachers(runs: Sequence[Run]) -> list[str]:
    """Names of the finished runs that others build on."""
    needed = [need for run in runs for need in run.depends_on.values()]
    return sorted({need.name for need in needed if need.result() is not None})


def _baseline(folder: Path) -> str | None:
    return STUDENT if list(folder.glob(f"{STUDENT}/seed_*/result.json")) else None


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}"
