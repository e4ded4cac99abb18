"""``cls-kd report``: a report of finished runs, whether their config asks for one or not."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from cls_kd.errors import UserError
from cls_kd.reporting import make_report, write_joined
from cls_kd.reporting.collect import results_under
from cls_kd.reporting.folders import experiments_among, former_report

EXAMPLES = (
    "cls-kd report work_dirs/demo",
    "cls-kd report work_dirs/pair_kd work_dirs/pair_nkd --output work_dirs/kd_and_nkd",
    "cls-kd report work_dirs/demo work_dirs/branches --output work_dirs/both",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folders", nargs="+", help="of runs, or of experiments with several runs")
    parser.add_argument("--output", help="folder to write to; default: the folder, where it is one")
    parser.add_argument("--baseline", metavar="NAME", help="the run to compare the others with")
    parser.add_argument(
        "--references",
        nargs="+",
        metavar="NAME",
        help="runs that are listed and not compared, such as the teacher",
    )
    parser.add_argument("--metric", help="a key of the results; default: accuracy/top1")
    parser.add_argument("--title", help="heading of the page")


def run(args: argparse.Namespace) -> None:
    """Report, print and write."""
    folders = [Path(folder) for folder in args.folders]
    if len(folders) > 1 and args.output is None:
        raise UserError("Several folders: say where to write, with --output FOLDER.")
    output = Path(args.output or folders[0])
    if experiments_among(folders):
        _join(args, folders, output)
    else:
        _report(args, folders, output)


def _report(args: argparse.Namespace, folders: list[Path], output: Path) -> None:
    """One table of all runs in the folders."""
    former = former_report(output)
    made = make_report(
        output,
        baseline=args.baseline or former.baseline,
        references=args.references or (() if args.baseline else former.references),
        metric=args.metric,
        files=[file for folder in folders for file in results_under(folder)],
        title=args.title or former.title or output.resolve().name,
    )
    paths = made.write(output, appendix=former.sections)
    console = Console()
    made.show(console)
    console.print("Written:", *paths, sep="\n  ", markup=False, highlight=False, soft_wrap=True)


def _join(args: argparse.Namespace, folders: list[Path], output: Path) -> None:
    """The reports of several experiments on one page; an experiment without one gets it."""
    given = [name for name in ("baseline", "references", "metric") if getattr(args, name)]
    if given:
        raise UserError(
            f"--{given[0]} is of one experiment. Write the report of each first: "
            f"cls-kd report {folders[0]} --{given[0]} ..."
        )
    for folder in folders:
        if not (folder / "report.csv").is_file():
            make_report(folder).write(folder)
    paths = write_joined(output, folders, args.title or "Experiments")
    print("Written:", *paths, sep="\n  ")
