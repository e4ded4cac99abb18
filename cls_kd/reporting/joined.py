"""Several experiments' reports as one: a page, a table for machines and a figure of all gains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cls_kd.errors import UserError
from cls_kd.reporting.files import replace
from cls_kd.reporting.report import ReportPaths

_COLOURS = {"better": "#009E73", "worse": "#D55E00"}
_HEADING = re.compile(r"^(#+ )", re.M)
_IMAGE = re.compile(r"(!\[[^\]]*\]\()([^)]+)\)")


def write_joined(root: str | Path, experiments: Sequence[str | Path], title: str) -> ReportPaths:
    """Write ``report.md``, ``report.csv`` and ``report.png`` under ``root``.

    Args:
        root: Where to write.
        experiments: Folders that hold what `write_report` wrote, in the order of the page.
        title: Heading of the page.

    Raises:
        UserError: A folder has no report, or a damaged one.
    """
    root = Path(root)
    folders = [Path(one) for one in experiments]
    gains = pd.concat([_read(folder) for folder in folders], ignore_index=True)
    pages = [_inlined(folder, root) for folder in folders]
    root.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths(root / "report.md", root / "report.csv", root / "report.png")
    page = f"# {title}\n\n![Gains of every experiment](report.png)\n\n" + "\n".join(pages)
    replace(paths.page, lambda path: path.write_text(page, encoding="utf-8"))
    replace(paths.table, lambda path: gains.to_csv(path, index=False))
    replace(paths.figure, lambda path: _draw(gains, path, title))
    return paths


def _read(folder: Path) -> pd.DataFrame:
    file = folder / "report.csv"
    if not file.is_file() or not (folder / "report.md").is_file():
        raise UserError(f"{folder} has no report.md and report.csv: train its config first.")
    try:
        table = pd.read_csv(file)
        table[["run", "gain", "gain_low", "gain_high", "verdict"]]
    except (ValueError, KeyError) as error:
        raise UserError(f"{file} is damaged ({error}): write the report again.") from error
    table.insert(0, "experiment", folder.name)
    return table


def _inlined(folder: Path, root: Path) -> str:
    """A page with headings one step lower, and with images where they are from ``root``."""
    page = _HEADING.sub(r"#\1", (folder / "report.md").read_text(encoding="utf-8"))
    place = relpath(folder, root)
    return _IMAGE.sub(rf"\g<1>{place}/\g<2>)", page)


def _draw(gains: pd.DataFrame, path: Path, title: str) -> None:
    """Each run's gain over its experiment's baseline with the 95 % interval, one panel each."""
    compared = gains[gains["gain"].notna()]
    panels = [(name, group) for name, group in compared.groupby("experiment", sort=False)]
    heights = [len(group) + 1.6 for _, group in panels] or [1.0]
    canvas = Figure(figsize=(9, 0.3 * sum(heights) + 1.2), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for one, (name, group) in zip(axes, panels, strict=True):
        baseline = gains.query("experiment == @name and verdict == 'baseline'")["run"].iloc[0]
        for row, (_, run) in enumerate(group.iterrows()):
            colour = _COLOURS.get(run["verdict"], "#777777")
            one.plot([run["gain_low"], run["gain_high"]], [row, row], lw=2.5, color=colour)
            one.plot(run["gain"], row, "D", ms=5, color=colour)
        one.axvline(0, color="#000000", lw=0.8)
        one.set_yticks(range(len(group)), group["run"])
        one.set_ylim(len(group) - 0.5, -0.5)
        one.set_title(f"{name}: percentage points over {baseline}", fontsize=9, loc="left")
        one.spines[["top", "right"]].set_visible(False)
    canvas.suptitle(f"{title}\n(green better, red worse, grey inside noise)", fontsize=10)
    canvas.savefig(path, format="png", dpi=150)
