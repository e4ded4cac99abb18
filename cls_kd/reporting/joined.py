"""Several experiments' reports as one: a page, a table for machines and a figure of all gains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cls_kd.errors import UserError
from cls_kd.files import replace_atomically, write_atomically
from cls_kd.reporting import style
from cls_kd.reporting.metrics import metric_of
from cls_kd.reporting.report import ReportPaths
from cls_kd.reporting.statistics import MIN_PAIRS
from cls_kd.reporting.tables import score_label

_HEADING = re.compile(r"^(#+ )", re.M)
_IMAGE = re.compile(r"(!\[[^\]]*\]\()([^)]+)\)")
_READ = ["run", "pairs", "figure", "metric", "gain", "gain_low", "gain_high", "verdict"]


def write_joined(root: str | Path, experiments: Sequence[str | Path], title: str) -> ReportPaths:
    """Write ``report.md``, ``report.csv`` and, where there are gains, ``report.png``.

    Args:
        root: Folder to write to.
        experiments: Folders that hold what `Report.write` wrote, in the order of the page.
        title: Heading of the page.

    Raises:
        UserError: A folder has no report, or a damaged one, or a report of this function.
    """
    root = Path(root)
    folders = [Path(folder) for folder in experiments]
    tables = pd.concat([_read(folder) for folder in folders], ignore_index=True)
    pages = [_inlined(folder, root) for folder in folders]
    root.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths.under(root)
    compared = tables[tables["gain"].notna()]
    image = "" if compared.empty else "![Gains of every experiment](report.png)\n\n"
    write_atomically(paths.page, f"# {title}\n\n{image}" + "\n".join(pages))
    replace_atomically(paths.table, lambda path: tables.to_csv(path, index=False))
    if len(compared):
        _draw(tables, paths.figure, title)
    return paths


def _read(folder: Path) -> pd.DataFrame:
    paths = ReportPaths.under(folder)
    if not paths.table.is_file() or not paths.page.is_file():
        raise UserError(
            f"{folder} has no report.md and report.csv: train its config first, or write them "
            f"with cls-kd report {folder}."
        )
    try:
        table = pd.read_csv(paths.table)
        table[_READ]
        if "experiment" in table:
            raise KeyError("it is of several experiments already")
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{paths.table} is damaged, or of an older version ({error}): write it again with "
            f"cls-kd report {folder}."
        ) from error
    table.insert(0, "experiment", folder.name)
    return table


def _inlined(folder: Path, root: Path) -> str:
    """A page with headings one step lower, and with images where they are from ``root``."""
    page = _HEADING.sub(r"#\1", ReportPaths.under(folder).page.read_text(encoding="utf-8"))
    path = relpath(folder, root)
    return _IMAGE.sub(rf"\g<1>{path}/\g<2>)", page)


def _draw(tables: pd.DataFrame, path: Path, title: str) -> None:
    """Each run's gain over its experiment's baseline with the 95 % interval, one panel each.

    Panels of one metric share their scale, so that their gains can be compared by eye.
    """
    compared = tables[tables["gain"].notna()]
    groups = [(str(name), group) for name, group in compared.groupby("experiment", sort=False)]
    heights = [len(group) + 2.2 for _, group in groups]
    limits = {metric: _limits(group) for metric, group in compared.groupby("metric")}

    def draw(canvas: Figure) -> None:
        panels = canvas.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, (name, group) in zip(panels, groups, strict=True):
            rows = tables[tables["experiment"] == name]
            baseline = rows.loc[rows["verdict"] == "baseline", "run"].iloc[0]
            _draw_gains(axes, group)
            axes.set_xlim(*limits[group["metric"].iloc[0]])
            metric = metric_of(group["metric"].iloc[0])
            measured = score_label(group["figure"].iloc[0], metric).replace(" (%)", "")
            label = f"{name}: {measured}, {metric.unit} over {baseline}"
            axes.set_title(label, fontsize=9, loc="left")
        legend = (
            "green better, red worse, gray inside noise or too few seeds; lines: 95 % intervals"
        )
        canvas.suptitle(f"{title}\n({legend})", fontsize=10)

    style.write_figure(path, (9, 0.3 * sum(heights) + 1.0), draw)


def _draw_gains(axes: Axes, group: pd.DataFrame) -> None:
    for row, (_, run) in enumerate(group.iterrows()):
        color = style.VERDICT_COLORS.get(run["verdict"], style.GRAY)
        axes.plot([run["gain_low"], run["gain_high"]], [row, row], lw=2.5, color=color)
        axes.plot(run["gain"], row, "D", ms=5, color=color)
    axes.axvline(0, color=style.BLACK, lw=0.8)
    style.rows(axes, list(group["run"]))
    style.tidy(axes, "x")


def _limits(group: pd.DataFrame) -> tuple[float, float]:
    """A scale for all gains and intervals, and 0; an interval of few seeds may leave it.

    Two seeds give an interval so wide that nothing else could be read beside it.
    """
    wide = group["pairs"] < MIN_PAIRS
    ends = group.loc[~wide, ["gain_low", "gain_high"]].to_numpy().ravel()
    values = np.concatenate([group["gain"].to_numpy(), ends, [0.0]])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * max(high - low, 1e-9)
    return low - margin, high + margin
