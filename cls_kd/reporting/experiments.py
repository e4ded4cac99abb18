"""Reports of several pairs of networks together: what a sweep leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cls_kd.reporting.latency import Latency, read_latency
from cls_kd.reporting.report import Report
from cls_kd.reporting.tables import ScoreColumn


@dataclass(frozen=True)
class Experiment:
    """The runs of one pair, compared.

    Attributes:
        pair: Name of the pair: of the folder of its runs.
        report: Its comparison.
    """

    pair: str
    report: Report

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run and seed, see `collect`."""
        return self.report.collected.runs

    @property
    def summary(self) -> pd.DataFrame:
        """One row a run, see `summarize`."""
        return self.report.summary

    @property
    def column(self) -> ScoreColumn:
        """Column of ``runs`` with the scores that are compared."""
        return self.summary["figure"].iloc[0]

    @property
    def compared(self) -> list[str]:
        """Runs with a score that are no references: the baseline first, then by name."""
        rows = self.summary[self.summary["verdict"] != "reference"]
        return rows.loc[rows["mean"].notna(), "run"].tolist()

    def scores(self, run: str) -> pd.Series:
        """Scores of a run by seed, those that are missing left out."""
        rows = self.runs[self.runs["run"] == run]
        return rows.set_index("seed")[self.column].dropna().sort_index()

    def results(self, run: str) -> list[dict[str, Any]]:
        """Contents of ``result.json`` of each seed of a run, in order of the seeds."""
        paths = self.runs.loc[self.runs["run"] == run, "path"]
        return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]

    def latencies(self, run: str) -> list[Latency | None]:
        """Latency of the student of each seed of a run, where it was measured."""
        paths = self.runs.loc[self.runs["run"] == run, "path"]
        return [read_latency(Path(path).parent) for path in paths]


def pair_folders(root: Path) -> list[Path]:
    """Folders of the pairs of a sweep, in order: ``<root>/<pair>/<run>/seed_<k>``.

    Returns:
        Empty where the folder holds runs itself, or nothing of that form: it is no sweep then.
    """
    if (root / "result.json").is_file() or any(root.glob("*/seed_*/result.json")):
        return []
    files = root.glob("*/*/seed_*/result.json")
    return sorted({root / file.relative_to(root).parts[0] for file in files})


def methods_of(experiments: Sequence[Experiment]) -> list[str]:
    """Names of all compared runs: baselines first, then by name."""
    baselines = [experiment.report.comparison.baseline for experiment in experiments]
    names = {name for experiment in experiments for name in experiment.compared}
    first = dict.fromkeys(name for name in baselines if name in names)
    return [*first, *sorted(names - set(first))]  # type: ignore[list-item]
