"""A reproduction beside the published result: last and best epoch, and whether they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from cls_kd.markdown import markdown_table
from cls_kd.reporting.metrics import DEFAULT
from cls_kd.reporting.statistics import CONFIDENCE
from cls_kd.runs.benchmarks import Cell

EPOCHS = ("last", "best")


@dataclass(frozen=True)
class Comparison:
    """Accuracies of several seeds, and the published one.

    Attributes:
        epoch: ``'last'``, or ``'best'`` on the validation data.
        values: Top-1 accuracy of each seed, in percent.
        published: That of the source; None where none is published for this epoch.
    """

    epoch: str
    values: tuple[float, ...]
    published: float | None

    @property
    def mean(self) -> float:
        """Of the seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Standard deviation (n - 1) of the seeds; NaN for one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan

    @property
    def difference(self) -> float:
        """Ours less the published one; NaN where there is none."""
        return math.nan if self.published is None else self.mean - self.published

    @property
    def margin(self) -> float:
        """Half of the 95 % prediction interval of one more run of ours; NaN for one seed.

        Ours: sources rarely say how many runs their figure is a mean of. It is taken for one run
        with our deviation s, so that with n seeds the margin is t(n - 1) s sqrt(1 + 1/n).
        """
        count = len(self.values)
        if count < 2:
            return math.nan
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
        return float(quantile * self.deviation * math.sqrt(1 + 1 / count))

    @property
    def verdict(self) -> str:
        """The difference in words: inside noise, above or below."""
        if self.published is None:
            return "nothing published"
        if math.isnan(self.margin):
            return "one seed: noise unknown"
        if not self.margin:
            return "all seeds equal: noise unknown"
        if abs(self.difference) <= self.margin:
            return "inside noise"
        return "above" if self.difference > 0 else "below"


def compare(cell: Cell, results: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """The last and the best epoch of finished runs beside a cell.

    A figure of unknown epoch stands beside both.

    Args:
        cell: The published result.
        results: Contents of ``result.json`` of each seed.
    """
    values = {
        "last": tuple(float(result["test"][DEFAULT]) for result in results),
        "best": tuple(max(float(entry[DEFAULT]) for entry in result["val"]) for result in results),
    }
    return [
        Comparison(epoch, values[epoch], cell.top1 if cell.epoch in (epoch, "unknown") else None)
        for epoch in EPOCHS
    ]


def reproduction_markdown(
    cell: Cell,
    results: Sequence[Mapping[str, Any]],
    changes: Mapping[str, Any],
) -> str:
    """The comparison as Markdown, with what has to be known to read it.

    Args:
        cell: The published result.
        results: Contents of ``result.json`` of each seed.
        changes: Options that differ from the cell's; such runs reproduce something else.
    """
    comparisons = compare(cell, results)
    teacher = results[0]["teacher"].get("0", {}).get(DEFAULT)
    titles = ("epoch", "ours", "seeds", "published", "difference", "margin", "verdict")
    rows = [_row(comparison) for comparison in comparisons]
    table = markdown_table(titles, rows, numbers=titles[1:6])
    track = cell.track if cell.track == "protocol" else f"{cell.track} (not the usual protocol)"
    facts = [
        f"Published: {_percent(cell.top1)}, {cell.source}; epoch: {cell.epoch}; track: {track}"
        + ("; from the table of another work" if cell.second_hand else "")
        + (f"; {cell.note}" if cell.note else "")
        + ".",
        "Seeds: " + ", ".join(str(result["seed"]) for result in results) + ".",
        f"Teacher: ours {_percent(teacher)}, published {_percent(cell.teacher)}. "
        f"Student alone: published {_percent(cell.student)}.",
        "The best epoch is chosen on the data that it is reported on, where validation and test "
        "are one split, as in the usual protocols. The margin is half of the 95 % prediction "
        "interval of one more run, the published result taken for one.",
    ]
    if changes:
        listed = ", ".join(f"{key}={value}" for key, value in changes.items())
        facts.insert(0, f"Not the settings of this cell: changed were {listed}.")
    return "\n".join([f"# {cell.name}", "", table, *(f"- {fact}" for fact in facts), ""])


def _row(comparison: Comparison) -> tuple[str, ...]:
    ours = f"{comparison.mean:.2f}"
    if not math.isnan(comparison.deviation):
        ours += f" ± {comparison.deviation:.2f}"
    return (
        comparison.epoch,
        ours,
        str(len(comparison.values)),
        _percent(comparison.published),
        _signed(comparison.difference),
        "-" if math.isnan(comparison.margin) else f"{comparison.margin:.2f}",
        comparison.verdict,
    )


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
