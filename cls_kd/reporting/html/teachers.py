"""Table of the teachers, with every metric that was measured of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.table import Column, Table, build, number, word
from cls_kd.reporting.metrics import metric_of

_Row = dict[str, Any]


def teachers_table(experiments: Sequence[Experiment]) -> Table:
    """One row for each teacher of a pair; the same teacher of several runs has one row."""
    rows = [row for experiment in experiments for row in _rows(experiment)]
    metrics = dict.fromkeys(metric for row in rows for metric in row["metrics"])
    columns: tuple[Column, ...] = (
        ("Pair", False, lambda row: word(row["pair"])),
        ("Teacher", False, lambda row: word(row["name"])),
        *(_metric_column(metric) for metric in metrics),
        ("Methods", False, lambda row: word(", ".join(row["runs"]))),
    )
    return build("teachers", "Teachers, on the validation split", columns, rows)


def _metric_column(metric: str) -> Column:
    title = metric_of(metric).title
    return title, True, lambda row: number(row["metrics"].get(metric, math.nan))


def _rows(experiment: Experiment) -> list[_Row]:
    """Teachers by name and metrics: two with both the same are taken for one."""
    rows: dict[tuple[Any, ...], _Row] = {}
    for run in experiment.summary["run"]:
        for result in experiment.results(run):
            for name, metrics in (result.get("teacher") or {}).items():
                key = (name, *sorted(metrics.items()))
                new = {"pair": experiment.pair, "name": name, "metrics": metrics, "runs": {}}
                rows.setdefault(key, new)["runs"][run] = None
    return list(rows.values())
