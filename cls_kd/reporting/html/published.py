"""Published results of the same method and pair, beside ours."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.table import Cell as TableCell
from cls_kd.reporting.html.table import Column, Table, build, number, word
from cls_kd.reporting.metrics import DEFAULT
from cls_kd.reporting.reproduction import Comparison, compare
from cls_kd.runs.benchmarks import Cell

Row = tuple[str, Cell, Comparison]
"""Pair, published cell, and ours beside it."""


def published_table(experiments: Sequence[Experiment], cells: Sequence[Cell]) -> Table:
    """One row for each method and pair with a published result, and for each of its epochs.

    Args:
        experiments: Ours.
        cells: All published ones, see `read_cells`.
    """
    return build("published", "Ours and published", _COLUMNS, published_rows(experiments, cells))


def published_rows(experiments: Sequence[Experiment], cells: Sequence[Cell]) -> list[Row]:
    """Pair, published cell and comparison of each method and epoch that has a cell."""
    return [row for experiment in experiments for row in _rows(experiment, cells)]


def cell_of(method: str, pair: str, cells: Sequence[Cell]) -> Cell | None:
    """The published cell of a run.

    Args:
        method: Name of the run, which has to be that of the method.
        pair: Name of the pair, with or without its data: ``cifar100/vgg13_vgg8``, the same with
            any other separator, or ``vgg13_vgg8``.
        cells: Candidates.

    Returns:
        None where there is none, or where a pair without its data is on several.
    """
    results = [cell for cell in cells if cell.method == method and cell.top1 is not None]
    whole = [cell for cell in results if _plain(cell.pair) == _plain(pair)]
    short = [cell for cell in results if _plain(cell.pair.split("/")[1]) == _plain(pair)]
    matches = whole or short
    return matches[0] if len(matches) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _rows(experiment: Experiment, cells: Sequence[Cell]) -> list[Row]:
    if experiment.report.collected.metric.key != DEFAULT:
        return []
    rows = []
    for run in experiment.compared:
        cell = cell_of(run, experiment.pair, cells)
        if cell is not None:
            results = [_tested(result) for result in experiment.results(run)]
            rows += [(experiment.pair, cell, compared) for compared in compare(cell, results)]
    return rows


def _tested(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result; without a test, its last validation stands for it."""
    return result if result.get("test") else {**result, "test": result["val"][-1]}


def _ours(row: Row) -> TableCell:
    compared = row[2]
    spread = "" if math.isnan(compared.deviation) else f" ± {compared.deviation:.2f}"
    return TableCell(f"{compared.mean:.2f}{spread}", compared.mean)


_COLUMNS: tuple[Column, ...] = (
    ("Pair", False, lambda row: word(row[0])),
    ("Method", False, lambda row: word(row[1].method)),
    ("Track", False, lambda row: word(row[1].track)),
    ("Epoch", False, lambda row: word(row[2].epoch)),
    ("Ours", True, _ours),
    ("Seeds", True, lambda row: number(len(row[2].values), ".0f")),
    ("Published", True, lambda row: number(row[2].published)),
    ("Difference", True, lambda row: number(row[2].difference, "+.2f")),
    ("Margin", True, lambda row: number(row[2].margin)),
    ("Verdict", False, lambda row: word(row[2].verdict)),
    ("Source", False, lambda row: word(row[1].source)),
)
