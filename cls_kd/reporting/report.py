"""The report of an experiment: a page, a table for machines and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console

from cls_kd.files import replace_atomically, write_atomically
from cls_kd.reporting.baseline import Comparison, comparison
from cls_kd.reporting.collect import Collected, collect
from cls_kd.reporting.plots import draw
from cls_kd.reporting.sections import Section
from cls_kd.reporting.statistics import MIN_PAIRS
from cls_kd.reporting.tables import score_label, summarize, to_markdown, to_terminal


class ReportPaths(NamedTuple):
    """Files of a report."""

    page: Path
    table: Path
    figure: Path

    @classmethod
    def under(cls, root: Path) -> ReportPaths:
        """Where a report of that folder is."""
        return cls(root / "report.md", root / "report.csv", root / "report.png")


@dataclass(frozen=True)
class Report:
    """Finished runs, compared.

    Attributes:
        title: Heading of the page and of the figure.
        collected: The results.
        comparison: The baseline and the references.
        summary: One row a run, see `summarize`.
    """

    title: str
    collected: Collected
    comparison: Comparison
    summary: pd.DataFrame

    def write(
        self, root: str | Path, sections: Sequence[Section] = (), appendix: str = ""
    ) -> ReportPaths:
        """Write ``report.md``, ``report.csv`` (full precision) and ``report.png``.

        Args:
            root: Folder to write to.
            sections: Results of analyses: each adds its part to the page, and its own table and
                figure beside it.
            appendix: Text at the end of the page.
        """
        root = Path(root)
        root.mkdir(parents=True, exist_ok=True)
        paths = ReportPaths.under(root)
        for section in sections:
            section.write(root)
        write_atomically(paths.page, self.page(sections) + appendix)
        replace_atomically(paths.table, lambda path: self.summary.to_csv(path, index=False))
        draw(self.collected, self.summary, paths.figure, self.title)
        return paths

    def page(self, sections: Sequence[Section] = ()) -> str:
        """The page, with a part for each section."""
        warnings = "".join(f"> **Warning:** {line}\n\n" for line in self.warnings())
        notes = "".join(f"- {line}\n" for line in self.notes())
        parts = "".join(f"\n{section.markdown()}" for section in sections)
        return (
            f"# {self.title}\n\n{warnings}{to_markdown(self.summary)}\n"
            f"![Figures and training curves](report.png)\n\n{notes}{parts}"
        )

    def show(self, console: Console) -> None:
        """Print the table, its warnings and its notes."""
        console.print(to_terminal(self.summary, self.title))
        for line in self.warnings():
            console.print(f"Warning: {line}", style="yellow", markup=False, highlight=False)
        for line in self.notes():
            console.print(f"- {line}", markup=False, highlight=False)

    def warnings(self) -> list[str]:
        """Reasons that forbid a verdict."""
        few = self.summary.query(f"0 < pairs < {MIN_PAIRS}")
        if few.empty:
            return []
        runs = ", ".join(f"{row['run']} ({row['pairs']})" for _, row in few.iterrows())
        return [
            f"too few seeds for a verdict, of which {self.comparison.baseline} and the run must "
            f"share at least {MIN_PAIRS}: {runs}. The difference may be noise."
        ]

    def notes(self) -> list[str]:
        """Explanations of the table's columns, as far as they are needed."""
        summary, metric = self.summary, self.collected.metric
        lines = [self.comparison.reason] if self.comparison.reason else []
        scores = score_label(summary["figure"].iloc[0], metric)
        lines += [
            f"mean, std (sample standard deviation), min and max: {scores}, over seeds.",
            "validation best is the highest of all epochs, chosen with hindsight; validation last "
            "is not.",
        ]
        if (summary["pairs"] > 0).any():
            lines += _notes_on_gains(self.comparison.baseline, metric.unit)
        compared = summary[summary["verdict"] != "reference"]
        if compared["parameters"].nunique() > 1 or compared["epochs"].nunique() > 1:
            lines.append("The compared runs differ in parameters or epochs: mind that in the gain.")
        if len(compared) < len(summary):
            lines.append("A reference has another network or other data, so it gets no gain.")
        teachers = self.collected.runs["teacher"].dropna().unique()
        if len(teachers):
            values = ", ".join(f"{value:.2f}" for value in sorted(teachers))
            lines.append(f"Teacher, measured on the validation split: {values}.")
        return lines


def make_report(
    root: str | Path,
    *,
    baseline: str | None = None,
    title: str | None = None,
    references: Sequence[str] = (),
    metric: str | None = None,
    files: Sequence[Path] | None = None,
) -> Report:
    """Compare finished runs.

    Args:
        root: Folder of a run or of an experiment, see `collect`.
        baseline: The run that the others are compared with. Default: the one that is certain, see
            `comparison`.
        title: Heading of the page and of the figure. Default: the folder's name.
        references: Runs with another network or other data (the teacher): listed, not compared.
        metric: A key of the results' metrics. Default: see `collect`.
        files: Only these results, see `collect`.

    Raises:
        UserError: See `collect` and `comparison`.
    """
    collected = collect(root, files, metric)
    chosen = comparison(collected.runs, baseline, references)
    summary = summarize(collected.runs, chosen.baseline, chosen.references, collected.metric)
    return Report(title or Path(root).resolve().name, collected, chosen, summary)


def _notes_on_gains(baseline: str | None, unit: str) -> list[str]:
    return [
        f"gain: {unit} over {baseline}, seed by seed, with the 95 % t interval of its mean. p is "
        "of the paired two-sided t-test; p adjusted is p adjusted for the number of compared runs "
        "(Holm). The verdict follows p adjusted: from 0.05 on, the gain is inside noise. The "
        "intervals are not adjusted.",
        "The interval speaks of seeds (initial weights, order of images), not of other images "
        "and not of another teacher.",
    ]
