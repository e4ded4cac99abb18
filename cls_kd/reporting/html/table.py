"""The tables of the page: cells as people read them, with the values that they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.verdict import OverPairs
from cls_kd.reporting.latency import Latency
from cls_kd.reporting.tables import SPLITS

_PAGE = 50  # rows


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: What is shown.
        value: What the column is sorted and filtered by; None for the text. A missing number is
            the empty string.
    """

    text: str
    value: float | str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        name: Id of its element.
        caption: Above it.
        titles: Of the columns.
        numbers: True for each column of numbers.
        rows: Cells of each row.
    """

    name: str
    caption: str
    titles: Sequence[str]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[Cell]]

    @property
    def options(self) -> dict[str, Any]:
        """Options of DataTables: names are filtered by a list of values, numbers by a search."""
        targets = {
            kind: [i for i, is_ in enumerate(self.numbers) if is_ == kind] for kind in (0, 1)
        }
        definitions = [
            {"targets": targets[0], "columnControl": ["order", ["searchList"]]},
            {"targets": targets[1], "columnControl": ["order", "searchDropdown"], "type": "num"},
        ]
        return {
            "columnDefs": [entry for entry in definitions if entry["targets"]],
            "ordering": {"indicators": False},
            "order": [],
            "paging": len(self.rows) > _PAGE,
            "pageLength": _PAGE,
            "autoWidth": False,
            "layout": {
                "topStart": "search",
                "topEnd": {"buttons": [{"extend": "csv", "title": self.name}]},
            },
        }


Column = tuple[str, bool, Callable[[Any], Cell]]
"""Title, whether it holds numbers, and how a row fills it."""


def number(value: float | None, form: str = ".2f") -> Cell:
    """A number; a dash where it is missing."""
    if value is None or pd.isna(value):
        return Cell("-", "")
    return Cell(format(value, form), float(f"{value:.8g}"))


def word(value: object) -> Cell:
    """A text."""
    return Cell(str(value))


def build(name: str, caption: str, columns: Sequence[Column], rows: Sequence[Any]) -> Table:
    """A table of rows of any kind; columns without a value in any row are left out."""
    cells = [[fill(row) for _, _, fill in columns] for row in rows]
    kept = [i for i in range(len(columns)) if any(row[i].text not in ("", "-") for row in cells)]
    return Table(
        name,
        caption,
        [columns[i][0] for i in kept],
        [columns[i][1] for i in kept],
        [[row[i] for i in kept] for row in cells],
    )


def methods_table(experiments: Sequence[Experiment]) -> Table:
    """One row a pair and method."""
    rows = [
        {**row, "pair": experiment.pair, "latency": mean_latency(experiment, row["run"])}
        for experiment in experiments
        for row in experiment.summary.to_dict("records")
    ]
    splits = " or ".join(dict.fromkeys(SPLITS[experiment.column] for experiment in experiments))
    return build("methods", "One row for each pair and method", _method_columns(splits), rows)


def _method_columns(split: str) -> tuple[Column, ...]:
    return (
        ("Pair", False, lambda row: word(row["pair"])),
        ("Method", False, lambda row: word(row["run"])),
        ("Verdict", False, lambda row: word(row["verdict"])),
        ("Seeds", True, lambda row: number(row["seeds"], ".0f")),
        (f"Mean ({split})", True, lambda row: number(row["mean"])),
        ("Deviation", True, lambda row: number(row["std"])),
        ("Gain [95 %]", True, _gain),
        ("p", True, lambda row: _p_value(row["p_value"])),
        ("p (Holm)", True, lambda row: _p_value(row["p_adjusted"])),
        ("Last (val.)", True, lambda row: number(row["last"])),
        ("Best (val.)", True, lambda row: number(row["best"])),
        ("Seconds", True, lambda row: number(row["seconds"], ",.1f")),
        ("Parameters", True, lambda row: number(row["parameters"], ",.0f")),
        ("Latency (ms)", True, lambda row: number(row["latency"], ".3g")),
    )


def _gain(row: dict[str, Any]) -> Cell:
    if pd.isna(row["gain_low"]):
        return number(row["gain"], "+.2f")
    interval = f"[{row['gain_low']:+.2f}, {row['gain_high']:+.2f}]"
    return Cell(f"{row['gain']:+.2f} {interval}", row["gain"])


def _p_value(value: float) -> Cell:
    return Cell("< 0.0001", value) if value < 1e-4 else number(value, ".4f")


def mean_latency(experiment: Experiment, run: str) -> float:
    """Mean latency of the students of a run, in milliseconds; NaN where none was measured."""
    values = [_milliseconds(latency) for latency in experiment.latencies(run)]
    return float(pd.Series(values, dtype=float).mean())


def _milliseconds(latency: Latency | None) -> float:
    return math.nan if latency is None else latency.milliseconds


def runs_table(experiments: Sequence[Experiment]) -> Table:
    """One row a pair, method and seed."""
    rows = [row for experiment in experiments for row in _run_rows(experiment)]
    return build("runs", "One row for each run", _RUN_COLUMNS, rows)


_RUN_COLUMNS: tuple[Column, ...] = (
    ("Pair", False, lambda row: word(row["pair"])),
    ("Method", False, lambda row: word(row["run"])),
    ("Seed", True, lambda row: number(row["seed"], ".0f")),
    ("Test", True, lambda row: number(row["test"])),
    ("Last (val.)", True, lambda row: number(row["last"])),
    ("Best (val.)", True, lambda row: number(row["best"])),
    ("Best epoch", True, lambda row: number(row["best_epoch"], ".0f")),
    ("Epochs", True, lambda row: number(row["epochs"], ".0f")),
    ("Over the baseline", True, lambda row: number(row["difference"], "+.2f")),
    ("Seconds", True, lambda row: number(row["seconds"], ",.1f")),
    ("Parameters", True, lambda row: number(row["parameters"], ",.0f")),
    ("Latency (ms)", True, lambda row: number(row["latency"], ".3g")),
    ("Digest", False, lambda row: word(row["digest"][:12])),
)


def _run_rows(experiment: Experiment) -> list[dict[str, Any]]:
    baseline = experiment.report.comparison.baseline
    base = {} if baseline is None else experiment.scores(baseline).to_dict()
    rows = []
    for run in experiment.summary["run"]:
        group = experiment.runs[experiment.runs["run"] == run].to_dict("records")
        other = run in experiment.compared and run != baseline
        latencies = experiment.latencies(run)
        for row, result, latency in zip(group, experiment.results(run), latencies, strict=True):
            difference = row[experiment.column] - base.get(row["seed"], math.nan)
            facts = {
                "pair": experiment.pair,
                "difference": difference if other else math.nan,
                "latency": _milliseconds(latency),
                "digest": str(result.get("digest", "")),
            }
            rows.append({**row, **facts})
    return rows


_OVER_PAIRS: tuple[Column, ...] = (
    ("Method", False, lambda row: word(row.method)),
    ("Pairs", True, lambda row: number(row.pairs, ".0f")),
    ("Better", True, lambda row: number(row.better, ".0f")),
    ("Neither", True, lambda row: number(row.neither, ".0f")),
    ("Worse", True, lambda row: number(row.worse, ".0f")),
    ("Mean gain", True, lambda row: number(row.gain, "+.2f")),
)


def over_pairs_table(rows: Sequence[OverPairs]) -> Table:
    """One row a method, from `over_pairs`."""
    return build("over_pairs", "Methods over all pairs", _OVER_PAIRS, rows)
