#!/usr/bin/env python
"""Report on finished runs, whether their config asks for a report or not.

python tools/report.py work_dirs/mine
python tools/report.py work_dirs/pair_kd work_dirs/pair_nkd --output work_dirs/kd_and_nkd
python tools/report.py work_dirs/demo work_dirs/branches --output work_dirs/both
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from cls_kd.engine.cli import run_tool
from cls_kd.errors import UserError
from cls_kd.reporting import make_report, write_joined
from cls_kd.reporting.collect import results_under
from cls_kd.reporting.folders import experiments_among, former_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    folders = [Path(folder) for folder in args.folders]
    if len(folders) > 1 and args.output is None:
        raise UserError("Several folders: say where to write, with --output FOLDER.")
    output = Path(args.output or folders[0])
    if experiments_among(folders):
        join(args, folders, output)
    else:
        report(args, folders, output)


def report(args: argparse.Namespace, folders: list[Path], output: Path) -> None:
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


def join(args: argparse.Namespace, folders: list[Path], output: Path) -> None:
    """The reports of several experiments on one page; an experiment without one gets it."""
    given = [name for name in ("baseline", "references", "metric") if getattr(args, name)]
    if given:
        raise UserError(
            f"--{given[0]} is of one experiment. Write the report of each first: "
            f"tools/report.py {folders[0]} --{given[0]} ..."
        )
    for folder in folders:
        if not (folder / "report.csv").is_file():
            make_report(folder).write(folder)
    paths = write_joined(output, folders, args.title or "Experiments")
    print("Written:", *paths, sep="\n  ")


if __name__ == "__main__":
    run_tool(main)
