"""``cls-kd diagnose``: why a distillation did not gain."""

from __future__ import annotations

import argparse
from pathlib import Path

from cls_kd.analyses.diagnosis import DEFAULT_IMAGES, diagnose
from cls_kd.analyses.diagnosis.page import markdown, show
from cls_kd.analyses.finished_runs import FinishedRun, finished_runs
from cls_kd.cli.experiment import open_experiment
from cls_kd.cli.options import add_config_options, add_method, add_run, add_work_dir, positive
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import choose
from cls_kd.runs.run_folder import run_in_folder

EXAMPLES = (
    "cls-kd diagnose work_dirs/pair/kd",
    "cls-kd diagnose digits/demo --run kd/seed_0 --images 500",
)
STEM = "diagnosis"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "config", metavar="RUN", help="folder of a finished run; or a config, with --run"
    )
    add_run(parser, "with a config: which of its runs; default: the last")
    parser.add_argument(
        "--images",
        type=positive,
        default=DEFAULT_IMAGES,
        metavar="N",
        help="measure on at most N images of each split; default: %(default)s",
    )
    parser.add_argument(
        "--output", metavar="DIR", help="folder to write to; default: the run's folder"
    )
    add_work_dir(parser, "with a config: where its runs are")
    add_method(parser)
    add_config_options(parser)


def run(args: argparse.Namespace) -> None:
    """Diagnose, print and write."""
    finished = _finished_run(args)
    diagnosis = diagnose(finished, args.images)
    show(diagnosis)
    output = Path(args.output or finished.run.work_dir)
    output.mkdir(parents=True, exist_ok=True)
    files = {".md": markdown(diagnosis), ".json": diagnosis.as_json()}
    for ending, text in files.items():
        write_atomically(output / f"{STEM}{ending}", text)
    print("Written:", *(output / f"{STEM}{ending}" for ending in files), sep="\n  ")


def _finished_run(args: argparse.Namespace) -> FinishedRun:
    """The run that the words name.

    Raises:
        UserError: There is no such run, or it is not finished.
    """
    if Path(args.config).is_dir():
        for option in ("run", "work_dir", "method", "cfg_options"):
            if getattr(args, option):
                name = option.replace("_", "-")
                raise UserError(f"--{name} is for a config, and {args.config} is a folder.")
        return FinishedRun(run_in_folder(args.config))
    chosen = choose(open_experiment(args).runs(), args.run)
    return finished_runs([chosen])[0]
