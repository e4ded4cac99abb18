"""The report of an experiment: a page, a table for machines and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console

from cls_kd.reporting.collect import Collected, collect
from cls_kd.reporting.files import replace
from cls_kd.reporting.plots import draw
from cls_kd.reporting.sections import Section
from cls_kd.reporting.tables import FIGURE_NAMES, summarise, to_markdown, to_terminal


class ReportPaths(NamedTuple):
    """What `write_report` wrote."""

    page: Path
    table: Path
    figure: Path


def write_report(
    root: str | Path,
    baseline: str,
    title: str,
    references: Sequence[str] = (),
    files: Sequence[Path] | None = None,
    sections: Sequence[Section] = (),
) -> ReportPaths:
    """Write ``report.md``, ``report.csv`` (full precision) and ``report.png`` under ``root``.

    Each section adds its part to the page, and its own table and figure beside it.


    Args:
        root: Folder of an experiment, see `collect`.
        baseline: The run that the others are compared with.
        title: Heading of the page and of the figure.
        references: Runs with another network or other data (the teacher): listed, not compared.
        files: Only these results, see `collect`.
        sections: What analyses found.
    """
    root = Path(root)
    collected = collect(root, files)
    summary = summarise(collected.runs, baseline, references)
    paths = ReportPaths(root / "report.md", root / "report.csv", root / "report.png")
    page = _page(collected, summary, baseline, title, sections)
    for section in sections:
        section.write(root)
    replace(paths.page, lambda path: path.write_text(page, encoding="utf-8"))
    replace(paths.table, lambda path: summary.to_csv(path, index=False))
    replace(paths.figure, lambda path: draw(collected, summary, path, title))
    return paths


def print_report(
    root: str | Path,
    baseline: str,
    title: str,
    references: Sequence[str] = (),
    files: Sequence[Path] | None = None,
    console: Console | None = None,
) -> None:
    """The same table on the terminal."""
    collected = collect(root, files)
    summary = summarise(collected.runs, baseline, references)
    console = console or Console()
    console.print(to_terminal(summary, title))
    for line in _notes(collected.runs, summary, baseline):
        console.print(f"- {line}", markup=False, highlight=False)


def _page(
    collected: Collected,
    summary: pd.DataFrame,
    baseline: str,
    title: str,
    sections: Sequence[Section],
) -> str:
    notes = "".join(f"- {line}\n" for line in _notes(collected.runs, summary, baseline))
    return (
        f"# {title}\n\n{to_markdown(summary)}\n![Accuracy and training curves](report.png)\n\n"
        f"{notes}" + "".join(f"\n{section.markdown()}" for section in sections)
    )


def _notes(runs: pd.DataFrame, summary: pd.DataFrame, baseline: str) -> list[str]:
    """How to read the table, no longer than it needs."""
    figure = FIGURE_NAMES[summary["figure"].iloc[0]]
    lines = [
        f"mean, std (sample standard deviation), min and max: {figure}, top-1 in %, over seeds.",
        "val best is the highest of all epochs, chosen with hindsight; val last is not.",
    ]
    if (summary["pairs"] > 0).any():
        lines += [
            f"gain: percentage points over {baseline}, seed by seed, with the 95 % t interval of "
            "its mean and the paired two-sided t-test. An interval that holds 0 is inside noise. "
            "p is not corrected for the number of runs.",
            "The interval speaks of seeds (initial weights, order of images), not of other images "
            "and not of another teacher.",
        ]
    compared = summary[summary["verdict"] != "reference"]
    if compared["parameters"].nunique() > 1 or compared["epochs"].nunique() > 1:
        lines.append("The compared runs differ in parameters or epochs: mind that in the gain.")
    if len(compared) < len(summary):
        lines.append("A reference has another network or other data, so it gets no gain.")
    teachers = runs["teacher"].dropna().unique()
    if len(teachers):
        lines.append(
            "Teacher, measured on the validation part: "
            f"{', '.join(f'{value:.2f}' for value in sorted(teachers))}."
        )
    return lines
