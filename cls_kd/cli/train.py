"""``cls-kd train``: a config's run, or its list of runs, and their report."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from rich.console import Console

from cls_kd.analyses import analyze
from cls_kd.cli.experiment import open_experiment
from cls_kd.cli.options import (
    add_config_or_benchmark,
    add_launcher,
    add_method,
    add_run,
    add_together,
    add_work_dir,
    fraction,
    join_processes,
)
from cls_kd.engine import train_runs
from cls_kd.engine.cohort_executor import CohortExecutor
from cls_kd.engine.elastic import take_the_place
from cls_kd.errors import UserError
from cls_kd.reporting import make_report
from cls_kd.runs import RESULT, Run, check_unchanged, choose
from cls_kd.runs.stores import add_store, has_store
from cls_kd.teacher_store import DEFAULT_DIR

EXAMPLES = (
    "cls-kd train digits/demo",
    "cls-kd train configs/digits/pair.py --method nkd --seed 3",
    "cls-kd train digits/demo --run kd/seed_3",
    "cls-kd train --benchmark dkd/cifar100/vgg13_vgg8",
    "cls-kd train digits/papers/nkd --together",
    "cls-kd train digits/pair --cfg-options train_cfg.max_epochs=5 --work-dir short",
    "cls-kd train configs/digits/pair.py --method dkd --store-teacher --verify 0.01",
)

_CHANGES = ("cfg_options", "amp", "deterministic", "store_teacher")
"""Options that change what a run is, beside those that a message repeats."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_or_benchmark(parser)
    add_method(parser)
    add_run(parser, "train this one of the config's runs; those that it builds on are finished")
    add_work_dir(parser, "where logs, checkpoints and results go")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="PATH",
        help="go on from the last checkpoint in the work dir, or from PATH",
    )
    parser.add_argument("--restart", action="store_true", help="train finished runs anew")
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    parser.add_argument("--seed", type=int, help="replace the config's seed or seeds")
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms")
    parser.add_argument(
        "--store-teacher",
        nargs="?",
        const=True,
        metavar="DIR",
        help=f"store the teachers' logits and embeddings in DIR, and read those that are there; "
        f"default: {DEFAULT_DIR}",
    )
    parser.add_argument(
        "--verify",
        type=fraction,
        metavar="FRACTION",
        help="of the stored batches compute so many again, and compare: 0.01",
    )
    add_together(parser, None, "default: one after the other")
    add_launcher(parser)


def run(args: argparse.Namespace) -> None:
    """Train, and report where the config asks for it."""
    experiment = open_experiment(
        args, amp=args.amp, seed=args.seed, deterministic=args.deterministic
    )
    cfg = experiment.cfg
    runs = experiment.runs()
    _store_teachers(runs, args)
    chosen = runs if args.run is None else [_ready(choose(runs, args.run), runs, args)]
    join_processes(args)
    single = "runs" not in cfg
    again = take_the_place()
    if again and is_main_process():
        print(_goes_on(chosen), flush=True)
    resume = args.resume or again
    train_runs(
        chosen,
        resume=resume,
        restart=not again and (args.restart or (single and not args.resume)),
        launcher=args.launcher,
        executor=CohortExecutor(args.together) if args.together else None,
    )
    wanted = args.run is None and ("report" in cfg or _several_seeds(runs))
    if wanted and is_main_process():
        _report(cfg, runs, experiment.work_dir)


def _goes_on(runs: Sequence[Run]) -> str:
    """Say where restarted processes go on."""
    run = next((run for run in runs if not check_unchanged(run)), None)
    if run is None:
        return "Started again: all runs are finished."
    pointer = run.work_dir / "last_checkpoint"
    where = Path(pointer.read_text()).name if pointer.is_file() else "the beginning"
    return f"Started again with {get_world_size()} processes: {run.title} goes on from {where}."


def _store_teachers(runs: Sequence[Run], args: argparse.Namespace) -> None:
    """Apply ``--store-teacher`` and ``--verify``.

    Raises:
        UserError: There is nothing to store or to verify.
    """
    options: dict[str, Any] = {} if args.verify is None else {"verify": args.verify}
    if args.store_teacher is not None:
        folder = {} if args.store_teacher is True else {"dir": args.store_teacher}
        add_store(runs, {**options, **folder})
    elif options:
        stored = [run for run in runs if has_store(run)]
        if not stored:
            raise UserError("--verify compares stored teacher outputs: give --store-teacher too.")
        add_store(stored, options)


def _ready(chosen: Run, runs: Sequence[Run], args: argparse.Namespace) -> Run:
    """A run whose needed runs are finished.

    Raises:
        UserError: One is not, or was made with another config.
    """
    for needed in chosen.depends_on.values():
        if check_unchanged(needed):
            continue
        several = sum(run.name == needed.name for run in runs) > 1
        name = f"{needed.name}/seed_{needed.seed}" if several else needed.name
        options = {"--method": args.method, "--work-dir": args.work_dir, "--seed": args.seed}
        given = [
            word
            for key, value in options.items()
            if value is not None
            for word in (key, str(value))
        ]
        command = shlex.join(["cls-kd", "train", args.config, "--run", name, *given])
        others = [key.replace("_", "-") for key in _CHANGES if getattr(args, key)]
        same = "".join(f", with the same --{option}" for option in others)
        raise UserError(
            f"The run {chosen.title} builds on the run {needed.title}, which is not finished in "
            f"{needed.work_dir}. Train it first{same}: {command}"
        )
    return chosen


def _report(cfg: Config, runs: Sequence[Run], work_dir: Path) -> None:
    files = [run.work_dir / RESULT for run in runs]
    report = make_report(work_dir, **cfg.get("report", {}), files=files)
    sections = [analyze(config, runs) for config in cfg.get("analyses", [])]
    paths = report.write(work_dir, sections)
    console = Console()
    report.show(console)
    for section in sections:
        console.print(section.terminal())
    print("Written:", *paths, sep="\n  ")


def _several_seeds(runs: Sequence[Run]) -> bool:
    names = [run.name for run in runs]
    return len(set(names)) < len(names)
