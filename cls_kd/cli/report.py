"""``cls-kd report``: a report of finished runs, whether their config asks for one or not."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from cls_kd.cli.options import positive
from cls_kd.errors import UserError
from cls_kd.reporting import Report, make_report, write_joined
from cls_kd.reporting.collect import results_under
from cls_kd.reporting.experiments import Experiment, pair_folders
from cls_kd.reporting.folders import experiments_among, former_report
from cls_kd.reporting.html.packages import check_packages
from cls_kd.reporting.latex import write_latex

EXAMPLES = (
    "cls-kd report work_dirs/demo",
    "cls-kd report work_dirs/demo --html --latex",
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
    parser.add_argument(
        "--html",
        action="store_true",
        help="also write report.html, one page that needs no network; needs cls_kd[report]",
    )
    parser.add_argument(
        "--latex", action="store_true", help="also write report.tex, a table for a paper"
    )
    parser.add_argument(
        "--latency",
        nargs="?",
        type=positive,
        const=1,
        metavar="BATCH",
        help="measure the latency of the students here first, with so many images; default: 1",
    )


def run(args: argparse.Namespace) -> None:
    """Report, print and write."""
    folders = [Path(folder) for folder in args.folders]
    if len(folders) > 1 and args.output is None:
        raise UserError("Several folders: say where to write, with --output FOLDER.")
    if args.html:
        check_packages()
    if args.latency is not None:
        _measure_latency(folders, args.latency)
    output = Path(args.output or folders[0])
    pairs = pair_folders(folders[0]) if len(folders) == 1 else []
    if pairs:
        experiments, written = _sweep(args, pairs, output)
    elif experiments_among(folders):
        experiments, written = _join(args, folders, output)
    else:
        experiments, written = _report(args, folders, output)
    written += _other_formats(args, experiments, output)
    console = Console()
    console.print("Written:", *written, sep="\n  ", markup=False, highlight=False, soft_wrap=True)


def _measure_latency(folders: list[Path], batch_size: int) -> None:
    """Measure the students of all runs in the folders, those of a sweep included."""
    # Tables are written without PyTorch.
    from cls_kd.engine.latency import measure_runs

    roots = [pair for folder in folders for pair in pair_folders(folder) or [folder]]
    runs = [file.parent for root in roots for file in results_under(root)]
    for folder, reason in measure_runs(runs, batch_size):
        print(f"note: the student in {folder} cannot be measured: {reason}", file=sys.stderr)


_Written = tuple[list[Experiment], list[Path]]


def _report(args: argparse.Namespace, folders: list[Path], output: Path) -> _Written:
    """One table of all runs in the folders."""
    former = former_report(output)
    files = [file for folder in folders for file in results_under(folder)]
    made = _made(args, output, args.title or former.title, files)
    made.show(Console())
    paths = made.write(output, appendix=former.sections)
    pair = (folders[0] if len(folders) == 1 else output).resolve().name
    return [Experiment(pair, made)], list(paths)


def _sweep(args: argparse.Namespace, folders: list[Path], output: Path) -> _Written:
    """A table of each pair, and the pairs on one page."""
    experiments = [Experiment(folder.name, _made(args, folder)) for folder in folders]
    for folder, experiment in zip(folders, experiments, strict=True):
        experiment.report.show(Console())
        experiment.report.write(folder, appendix=former_report(folder).sections)
    paths = write_joined(output, folders, args.title or output.resolve().name)
    return experiments, list(paths)


def _made(
    args: argparse.Namespace,
    folder: Path,
    title: str | None = None,
    files: list[Path] | None = None,
) -> Report:
    """The report of a folder, with the baseline and the references of its former one."""
    former = former_report(folder)
    return make_report(
        folder,
        baseline=args.baseline or former.baseline,
        references=args.references or (() if args.baseline else former.references),
        metric=args.metric,
        files=files,
        title=title or former.title,
    )


def _join(args: argparse.Namespace, folders: list[Path], output: Path) -> _Written:
    """The reports of several experiments on one page; an experiment without one gets it."""
    given = [name for name in ("baseline", "references", "metric") if getattr(args, name)]
    if given:
        raise UserError(
            f"--{given[0]} is of one experiment. Write the report of each first: "
            f"cls-kd report {folders[0]} --{given[0]} ..."
        )
    experiments = [Experiment(folder.name, _made(args, folder)) for folder in folders]
    for folder, experiment in zip(folders, experiments, strict=True):
        if not (folder / "report.csv").is_file():
            experiment.report.write(folder)
    paths = write_joined(output, folders, args.title or "Experiments")
    return experiments, list(paths)


def _other_formats(
    args: argparse.Namespace, experiments: list[Experiment], output: Path
) -> list[Path]:
    written = []
    if args.latex:
        written.append(output / "report.tex")
        write_latex(written[-1], experiments)
    if args.html:
        # The page needs packages that other formats do without.
        from cls_kd.reporting.html.page import write_page

        title = args.title or former_report(output).title or output.resolve().name
        written.append(output / "report.html")
        write_page(written[-1], title, experiments)
    return written
