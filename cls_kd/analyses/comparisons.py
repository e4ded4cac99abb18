"""Chosen runs against one another, seed by seed: the comparison that a paper is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cls_kd.analyses.finished import Finished
from cls_kd.engine.runs import RESULT
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section, collect, paired_gain
from cls_kd.reporting.tables import FIGURE_NAMES, figure_of


@ANALYSES.register_module()
def comparisons(runs: Sequence[Finished], *, pairs: Sequence[Sequence[str]]) -> Section:
    """Paired gain of one run over another, for each pair.

    Args:
        runs: The finished runs.
        pairs: ``[('nkd', 'kd'), ...]``: which run over which.

    Returns:
        One row a pair: gain in percentage points, its 95 % t interval, the p-value of the paired
        t-test, and a verdict in words.

    Raises:
        UserError: There is no run of that name.
    """
    names = {run.name for run in runs}
    for name in {name for pair in pairs for name in pair}:
        if name not in names:
            raise UserError(f"comparisons: there is no run {name!r}.{did_you_mean(name, names)}")
    wanted = [run for run in runs if any(run.name in pair for pair in pairs)]
    results = collect(".", [run.run.work_dir / RESULT for run in wanted]).runs
    figure = figure_of(results)
    by_run = {name: group.set_index("seed")[figure] for name, group in results.groupby("run")}
    rows = []
    for one, other in pairs:
        gain = paired_gain(by_run[one], by_run[other])
        rows.append(
            {
                "run": one,
                "over": other,
                "gain": gain.mean,
                "low": gain.low,
                "high": gain.high,
                "p": gain.p_value,
                "pairs": gain.pairs,
                "verdict": gain.verdict,
            }
        )
    table = pd.DataFrame(rows)
    notes = [
        f"Percentage points of {FIGURE_NAMES[figure]}, seed by seed, with the 95 % t interval of "
        "the mean. p is of the paired two-sided t-test, not corrected for the number of pairs."
    ]
    size = (9.0, 1.2 + 0.35 * len(table))
    return Section("comparisons", "Run against run", table, notes, lambda c: _draw(c, table), size)


def _draw(canvas: Figure, table: pd.DataFrame) -> None:
    axes = canvas.subplots()
    places = np.arange(len(table))
    reach = np.stack([table["gain"] - table["low"], table["high"] - table["gain"]])
    axes.errorbar(table["gain"], places, xerr=np.nan_to_num(reach), fmt="D", capsize=3)
    axes.axvline(0, color="#000000", lw=0.8)
    axes.set_yticks(places, [f"{row['run']} over {row['over']}" for _, row in table.iterrows()])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel("percentage points")
    axes.spines[["top", "right"]].set_visible(False)
