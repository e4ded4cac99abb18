"""The figure of a report: accuracy of each run with its seeds, and the way there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from cls_kd.reporting.collect import Collected
from cls_kd.reporting.statistics import interval
from cls_kd.reporting.tables import FIGURE_NAMES, Figure

_COLOURS = ("#555555", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A")
_STYLES = ("-", "--", ":", "-.")


def draw(
    collected: Collected,
    summary: pd.DataFrame,
    path: str | Path,
    title: str = "",
) -> None:
    """Write one PNG: left every seed, mean and interval of each run; right the training curves.

    Args:
        collected: From `collect`.
        summary: From `summarise`; gives the order of the runs.
        path: Where to write.
        title: Above both.
    """
    names = list(summary["run"])
    references = set(summary.loc[summary["verdict"] == "reference", "run"])
    compared = [name for name in names if name not in references]
    styles: dict[str, dict[str, Any]] = {
        name: {
            "color": _COLOURS[place % len(_COLOURS)],
            "linestyle": _STYLES[place // len(_COLOURS) % len(_STYLES)],
        }
        for place, name in enumerate(compared)
    }
    # No pyplot: it would keep the figure, and choose a window, for the whole process.
    canvas = Canvas(figsize=(11, max(4.2, 1.8 + 0.42 * len(names))), layout="constrained")
    FigureCanvasAgg(canvas)
    left, right = canvas.subplots(1, 2, width_ratios=(1, 1.15))
    _dots(left, collected.runs, names, styles, summary["figure"].iloc[0])
    _curves(right, collected, compared, styles)
    handles, labels = right.get_legend_handles_labels()
    if handles:
        # Outside: no number of runs can then cover a curve.
        canvas.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9)
    if title:
        canvas.suptitle(title)
    canvas.savefig(path, format="png", dpi=150)


def _dots(
    axes: Axes,
    runs: pd.DataFrame,
    names: Sequence[str],
    styles: dict[str, dict[str, Any]],
    figure: Figure,
) -> None:
    for row, name in enumerate(names):
        values = runs.loc[runs["run"] == name, figure].dropna().to_numpy(dtype=float)
        colour = styles.get(name, {}).get("color", "#999999")
        if not len(values):
            continue
        # Seeds below the mean's line, so that neither hides the other.
        below = np.full(len(values), row + 0.22)
        axes.plot(values, below, "o", ms=4, alpha=0.5, mew=0, color=colour)
        low, high = interval(values)
        axes.plot([low, high], [row - 0.05] * 2, "-", lw=2.5, color=colour, solid_capstyle="butt")
        axes.plot(values.mean(), row - 0.05, "D", ms=6, color=colour)
        axes.annotate(
            f"{values.mean():.2f}",
            (values.mean(), row - 0.05),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.set_xlabel(f"{FIGURE_NAMES[figure]} (%)")
    axes.set_title("each seed (dots), mean and its 95 % interval", fontsize=10)
    _tidy(axes, "x")


def _curves(
    axes: Axes, collected: Collected, names: Sequence[str], styles: dict[str, dict[str, Any]]
) -> None:
    floor = []
    for name in names:
        curves = collected.curves[collected.curves["run"] == name]
        if curves.empty:
            continue
        over = curves.groupby("epoch")["val"].agg(["mean", "min", "max"])
        axes.fill_between(
            over.index, over["min"], over["max"], color=styles[name]["color"], alpha=0.13, lw=0
        )
        axes.plot(over.index, over["mean"], lw=1.8, label=name, **styles[name])
        floor.append(float(over["min"].iloc[len(over) // 5 :].min()))
    teachers = collected.runs["teacher"].dropna()
    if len(teachers):
        best = float(teachers.max())
        axes.axhline(best, color="black", lw=1, ls=(0, (6, 3)), label=f"teacher ({best:.2f})")
        floor.append(best)
    if floor:
        # The first epochs start near chance and would press everything else into a line.
        top = max(*axes.dataLim.intervaly, *floor)
        span = max(top - min(floor), 1.0)
        axes.set_ylim(min(floor) - 0.06 * span, top + 0.06 * span)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy (%)")
    axes.set_title("mean over seeds (line), lowest to highest seed (band)", fontsize=10)
    _tidy(axes, "both")


def _tidy(axes: Axes, grid: Literal["x", "both"]) -> None:
    axes.grid(axis=grid, alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
