"""The numbers behind the plots of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.table import mean_latency
from cls_kd.reporting.statistics import interval

Records = list[dict[str, Any]]


def gains(experiments: Sequence[Experiment]) -> Records:
    """Every gain over a baseline, methods with the largest mean gain first."""
    records = []
    for experiment in experiments:
        for row in experiment.summary.to_dict("records"):
            if pd.isna(row["gain"]):
                continue
            known = row["verdict"] in ("better", "worse", "higher", "lower")
            records.append(
                {
                    "pair": experiment.pair,
                    "method": row["run"],
                    "gain": _number(row["gain"]),
                    "low": _number(row["gain_low"], row["gain"]),
                    "high": _number(row["gain_high"], row["gain"]),
                    "p": _text(row["p_value"]),
                    "adjusted": _text(row["p_adjusted"]),
                    "verdict": row["verdict"],
                    "kind": row["verdict"] if known else "other",
                }
            )
    sums: dict[str, list[float]] = {}
    for record in records:
        sums.setdefault(record["method"], []).append(record["gain"])
    means = {name: sum(values) / len(values) for name, values in sums.items()}
    return sorted(records, key=lambda record: (-means[record["method"]], record["method"]))


def scores(experiment: Experiment) -> tuple[Records, Records]:
    """Scores of each seed, and the mean and interval of each run, references last."""
    seeds, means = [], []
    for run in experiment.summary["run"]:
        values = experiment.scores(run)
        if values.empty:
            continue
        seeds += [
            {"method": run, "seed": int(seed), "score": _number(value)}
            for seed, value in values.items()
        ]
        means.append({"method": run, **_spread(experiment, run)})
    return seeds, means


def curves(experiment: Experiment, points: int) -> tuple[Records, float, float]:
    """Mean, lowest and highest validation of each method and epoch, and the limits of the axis.

    Args:
        experiment: The pair.
        points: At most so many epochs of each method, from the first to the last.

    Returns:
        Records with ``method``, ``epoch``, ``mean``, ``low`` and ``high``; the limits show all but
        the first fifth of the epochs, which would press the rest into a line.
    """
    metric = experiment.report.collected.metric
    all_curves = experiment.report.collected.curves
    records, ends = [], []
    for run in experiment.compared:
        over = all_curves[all_curves["run"] == run].groupby("epoch")["val"]
        spread = over.agg(["mean", "min", "max"])
        if spread.empty:
            continue
        late = spread.iloc[len(spread) // 5 :]
        ends += [float(late["min"].min()), float(spread["max"].max())]
        for epoch, row in spread.iloc[_evenly(len(spread), points)].iterrows():
            record = {"method": run, "epoch": int(epoch), "mean": _number(row["mean"])}
            records.append({**record, "low": _number(row["min"]), "high": _number(row["max"])})
    teacher = experiment.runs["teacher"].max()
    if not pd.isna(teacher):
        ends.append(float(teacher))
    ends = [end for end in ends if not pd.isna(end)]
    if not ends:
        return [], 0.0, 0.0
    margin = 0.04 * max(max(ends) - min(ends), 1e-3)
    low, high = metric.clipped(min(ends) - margin), metric.clipped(max(ends) + margin)
    return records, _number(low), _number(high)


def _evenly(count: int, points: int) -> list[int]:
    """At most ``points`` indices below ``count``, the first and the last among them."""
    if count <= points:
        return list(range(count))
    return sorted({round(i * (count - 1) / (points - 1)) for i in range(points)})


def costs(experiment: Experiment, cost: Mapping[str, float]) -> Records:
    """Mean score, its interval and the cost of each run, cheapest first, with the Pareto front."""
    records: Records = [
        {"method": run, "cost": _number(cost[run]), **_spread(experiment, run)}
        for run in experiment.compared
        if run in cost and not pd.isna(cost[run])
    ]
    records.sort(key=lambda record: (record["cost"], -record["score"], record["method"]))
    highest = -float("inf")
    for record in records:
        record["front"] = record["score"] > highest
        highest = max(highest, record["score"])
    return records


def known_costs(experiment: Experiment) -> dict[str, tuple[str, dict[str, float]]]:
    """Title and values of each cost that the results hold, by a short key."""
    summary = experiment.summary.set_index("run")
    latency = {run: mean_latency(experiment, run) for run in experiment.compared}
    parameters = pd.to_numeric(summary["parameters"], errors="coerce")
    return {
        "seconds": ("training time (seconds)", summary["seconds"].to_dict()),
        "latency": ("latency of the student (ms)", latency),
        "parameters": ("parameters of the student", parameters.to_dict()),
    }


def _spread(experiment: Experiment, run: str) -> dict[str, float]:
    """Mean and the ends of its interval; a mean without spread has none."""
    metric, values = experiment.report.collected.metric, experiment.scores(run)
    mean = float(values.mean())
    low, high = interval(values.tolist())
    return {
        "score": _number(mean),
        "low": _number(metric.clipped(low), mean),
        "high": _number(metric.clipped(high), mean),
    }


def _number(value: float, missing: float = 0.0) -> float:
    """Six significant digits: more cannot be seen, and cost bytes."""
    return float(f"{missing if pd.isna(value) else value:.6g}")


def _text(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.4g}"
