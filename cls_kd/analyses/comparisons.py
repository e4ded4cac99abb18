"""Paired comparisons of chosen runs, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cls_kd.analyses.finished_runs import FinishedRun
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section, adjusted, collect, paired_gain, style
from cls_kd.reporting.tables import score_column, score_label
from cls_kd.runs import RESULT


@ANALYSES.register_module()
def comparisons(runs: Sequence[FinishedRun], *, pairs: Sequence[Sequence[str]]) -> Section:
    """Paired gain of one run over another, for each pair.

    Args:
        runs: The finished runs.
        pairs: ``[('nkd', 'kd'), ...]``: which run over which.

    Returns:
        One row a pair: gain, its 95 % t interval, the p-value of the paired t-test, the same
        adjusted for the number of pairs, and a verdict in words.

    Raises:
        UserError: There is no run of that name.
    """
    names = {run.name for run in runs}
    for name in {name for pair in pairs for name in pair}:
        if name not in names:
            raise UserError(f"comparisons: there is no run {name!r}.{did_you_mean(name, names)}")
    wanted = [run for run in runs if any(run.name in pair for pair in pairs)]
    results, _, metric = collect(".", [run.run.work_dir / RESULT for run in wanted])
    column = score_column(results)
    by_run = {name: group.set_index("seed")[column] for name, group in results.groupby("run")}
    gains = adjusted([paired_gain(by_run[run], by_run[other]) for run, other in pairs])
    rows = []
    for (run, other), gain in zip(pairs, gains, strict=True):
        rows.append(
            {
                "run": run,
                "over": other,
                "gain": gain.mean,
                "low": gain.low,
                "high": gain.high,
                "p": gain.p_value,
                "p adjusted": gain.p_adjusted,
                "pairs": gain.pairs,
                "verdict": metric.worded(gain.verdict),
            }
        )
    table = pd.DataFrame(rows)
    notes = [
        f"{metric.unit.capitalize()} of {score_label(column, metric)}, seed by seed, with the 95 % "
        "t interval of the mean. p is of the paired two-sided t-test; p adjusted is p adjusted for "
        "the number of comparisons (Holm), and the verdict follows it."
    ]
    unit = metric.unit
    size = (9.0, 1.2 + 0.35 * len(table))
    return Section(
        "comparisons", "Run against run", table, notes, lambda c: _draw(c, table, unit), size
    )


def _draw(canvas: Figure, table: pd.DataFrame, unit: str) -> None:
    axes = canvas.subplots()
    rows = np.arange(len(table))
    reach = np.stack([table["gain"] - table["low"], table["high"] - table["gain"]])
    axes.errorbar(table["gain"], rows, xerr=np.nan_to_num(reach), fmt="D", capsize=3)
    axes.axvline(0, color=style.BLACK, lw=0.8)
    style.rows(axes, [f"{row['run']} over {row['over']}" for _, row in table.iterrows()])
    axes.set_xlabel(unit)
    style.tidy(axes, "x")
