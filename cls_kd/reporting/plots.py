"""The figure of a report: scores of each run's seeds, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cls_kd.reporting import style
from cls_kd.reporting.collect import Collected
from cls_kd.reporting.metrics import Metric
from cls_kd.reporting.statistics import interval
from cls_kd.reporting.tables import score_label

_WIDTH = 11.0  # of the figure, in inches
_MAX_BANDS = 8  # with more runs, bands would hide the lines
Styles = Mapping[str, Mapping[str, Any]]


def draw(collected: Collected, summary: pd.DataFrame, path: str | Path, title: str = "") -> None:
    """Write one PNG: left every seed, mean and interval of each run; right the training curves.

    The left panel shows what is compared, the test split where there is one; the right one always
    shows the validation split. Their titles say so.

    Args:
        collected: From `collect`.
        summary: From `summarize`; gives the order of the runs.
        path: Where to write.
        title: Above both.
    """
    names = list(summary["run"])
    references = set(summary.loc[summary["verdict"] == "reference", "run"])
    compared = [name for name in names if name not in references]
    styles = {name: style.line_of(index) for index, name in enumerate(compared)}
    columns = _legend_columns(compared)
    height = max(4.2, 1.8 + 0.42 * len(names)) + 0.2 * -(-len(compared) // columns)

    def draw_both(canvas: Figure) -> None:
        left, right = canvas.subplots(1, 2, width_ratios=(1, 1.15))
        _draw_seeds(left, collected, summary, styles)
        _draw_curves(right, collected, compared, styles)
        handles, labels = right.get_legend_handles_labels()
        if handles:
            # Outside: no number of runs can then cover a curve.
            canvas.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=9)
        if title:
            canvas.suptitle(title)

    style.write_figure(Path(path), (_WIDTH, height), draw_both)


def _draw_seeds(axes: Axes, collected: Collected, summary: pd.DataFrame, styles: Styles) -> None:
    column, metric = summary["figure"].iloc[0], collected.metric
    names = list(summary["run"])
    for row, name in enumerate(names):
        runs = collected.runs
        values = runs.loc[runs["run"] == name, column].dropna().to_numpy(dtype=float)
        if len(values):
            _draw_run(axes, row, values, metric, styles.get(name, {}).get("color", style.GRAY))
    style.rows(axes, names)
    axes.margins(x=0.08)
    low, high = axes.get_xlim()
    axes.set_xlim(*_within(metric, low, high))
    axes.set_xlabel(score_label(column, metric))
    split = "Test split" if column == "test" else "Validation split, last epoch"
    axes.set_title(f"{split}: seeds, mean, its 95 % interval", fontsize=10)
    style.tidy(axes, "x")


def _draw_run(axes: Axes, row: int, values: np.ndarray, metric: Metric, color: str) -> None:
    # Seeds below the mean's line, so that neither hides the other.
    below = np.full(len(values), row + 0.22)
    axes.plot(values, below, "o", ms=4, alpha=0.5, mew=0, color=color, clip_on=False)
    # A t interval knows nothing of the metric's range.
    ends = [metric.clipped(end) for end in interval(values.tolist())]
    line = [row - 0.05] * 2
    axes.plot(ends, line, "-", lw=2.5, color=color, solid_capstyle="butt", clip_on=False)
    mean = (values.mean(), row - 0.05)
    axes.plot(*mean, "D", ms=6, color=color, clip_on=False)
    axes.annotate(
        f"{values.mean():.2f}",
        mean,
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )


def _draw_curves(axes: Axes, collected: Collected, names: Sequence[str], styles: Styles) -> None:
    bands = len(names) <= _MAX_BANDS
    ends = []
    for name in names:
        curves = collected.curves[collected.curves["run"] == name]
        if curves.empty:
            continue
        over = curves.groupby("epoch")["val"].agg(["mean", "min", "max"])
        color = styles[name]["color"]
        if bands:
            axes.fill_between(over.index, over["min"], over["max"], color=color, alpha=0.13, lw=0)
        mark = "o" if len(over) == 1 else None
        axes.plot(over.index, over["mean"], lw=1.8, label=name, marker=mark, **styles[name])
        # The first epochs start near chance and would press everything else into a line.
        late = over.iloc[len(over) // 5 :]
        ends += [float(late["min"].min()), float(over["max"].max())]
    teachers = collected.runs["teacher"].dropna()
    if len(teachers):
        best = float(teachers.max())
        label = f"teacher ({best:.2f})"
        axes.axhline(best, color=style.BLACK, lw=1, ls=(0, (6, 3)), label=label)
        ends.append(best)
    if ends:
        margin = 0.06 * max(max(ends) - min(ends), 1.0 if collected.metric.percent else 0.0)
        limits = _within(collected.metric, min(ends) - margin, max(ends) + margin)
        if limits[0] < limits[1]:
            axes.set_ylim(*limits)
    axes.set_xlabel("epoch")
    style.whole_numbers(axes)
    axes.set_ylabel(f"validation {collected.metric.label}")
    spread = ", lowest to highest (band)" if bands else ""
    axes.set_title(f"Validation split: mean over seeds{spread}", fontsize=10)
    style.tidy(axes, "both")


def _legend_columns(names: Sequence[str]) -> int:
    """As many as fit: a character takes 0.08 inches, a line with its gaps 0.6."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(5, int((_WIDTH - 0.5) / (0.6 + 0.08 * longest))))


def _within(metric: Metric, low: float, high: float) -> tuple[float, float]:
    """Limits of an axis within the metric's range, with room for half a mark at its end."""
    margin = 0.015 * (high - low)
    return max(low, metric.clipped(low) - margin), min(high, metric.clipped(high) + margin)
