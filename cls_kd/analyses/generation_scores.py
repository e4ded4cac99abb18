"""Scores of generations over seeds: their table, their gains and their curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cls_kd.analyses.chains import chains_of
from cls_kd.analyses.finished_runs import FinishedRun
from cls_kd.errors import UserError, did_you_mean
from cls_kd.reporting import paired_gain, style
from cls_kd.reporting.statistics import adjusted_by_name


def scores_of_all(
    runs: Sequence[FinishedRun], measure: Callable[[list[FinishedRun]], list[dict[str, Any]]]
) -> pd.DataFrame:
    """One row for each chain, seed and result of ``measure`` on its generations."""
    return pd.DataFrame(
        [
            {"chain": chain, "seed": seed, "generations": str(number), **row}
            for chain, lines in chains_of(runs).items()
            for seed, line in lines.items()
            for number, row in enumerate(measure(line))
        ]
    )


_ROW = ["chain", "generations"]
# Of the measures that are drawn; of all others only the lower end is bounded, by 0.
_RANGES = {"accuracy": (0.0, 100.0), "superclass mass": (0.0, 1.0)}


def mean_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Of every measure, over seeds; in the order of the chains."""
    measures = scores.drop(columns=["seed", "run"], errors="ignore")
    return measures.groupby(_ROW, sort=False).mean()


def compared_scores(scores: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Mean and spread of the accuracy over seeds, and its gain over a run."""
    known = set(scores["run"].dropna())
    if baseline not in known:
        raise UserError(
            f"There is no run {baseline!r} to compare with.{did_you_mean(baseline, known)}"
        )
    # As a patriarch of several chains it is there several times.
    base = scores[scores["run"] == baseline].drop_duplicates("seed")
    base = base.set_index("seed")["accuracy"]
    rows: dict[Any, dict[str, Any]] = {}
    gains = {}
    for key, group in scores.groupby(_ROW, sort=False):
        values = group.set_index("seed")["accuracy"]
        rows[key] = {"accuracy": values.mean(), "std": values.std(ddof=1), "verdict": "baseline"}
        if group["run"].iloc[0] != baseline:
            gains[key] = paired_gain(values, base)
    for key, gain in adjusted_by_name(gains).items():
        rows[key] |= {"gain": gain.mean, "low": gain.low, "high": gain.high}
        rows[key]["verdict"] = gain.verdict
    columns = ["accuracy", "std", "gain", "low", "high", "verdict"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis(_ROW)


def seed_count(scores: pd.DataFrame) -> str:
    """Number of seeds, for a sentence."""
    count = scores["seed"].nunique()
    return f"{count} seeds" if count > 1 else "one seed"


def note_on_gains(baseline: str) -> str:
    """Note below a table of ``compared_scores``."""
    return (
        f"gain: percentage points over {baseline}, seed by seed, with the 95 % t interval of its "
        "mean. The verdict follows the p-value of the paired t-test, adjusted for the number of "
        "gains (Holm); the intervals are not adjusted."
    )


def draw_lines(axes: Axes, scores: pd.DataFrame, column: str, label: str) -> None:
    """One line a chain, over its generations; bars are the standard deviation over seeds.

    They end where the measure's range does.
    """
    for index, (chain, group) in enumerate(scores.groupby("chain", sort=False)):
        over = group.groupby(group["generations"].astype(int))[column].agg(["mean", "std"])
        x = over.index + 0.03 * index  # side by side, so that no bar hides another
        color = style.color_of(index)
        low, high = _RANGES.get(column, (0.0, math.inf))
        room = np.maximum([over["mean"] - low, high - over["mean"]], 0.0)
        reach = np.minimum(room, over["std"].to_numpy())
        axes.errorbar(
            x, over["mean"], reach, fmt="o-", ms=4, capsize=2, color=color, label=str(chain)
        )
    axes.set_xticks(sorted(scores["generations"].astype(int).unique()))
    axes.set_xlabel("generation")
    axes.set_ylabel(label)
    style.tidy(axes, "both")
    axes.legend(fontsize=8, frameon=False)
