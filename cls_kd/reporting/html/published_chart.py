"""Plot of our results beside the published ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from cls_kd.reporting import style
from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.charts import (
    ROW_HEIGHT,
    Chart,
    Records,
    finished_chart,
    inline_data,
    tooltips,
)
from cls_kd.reporting.html.published import published_rows
from cls_kd.runs.benchmarks import Cell

NAME = "published_results"
_OURS, _PUBLISHED = "ours", "published"


def published_chart(experiments: Sequence[Experiment], cells: Sequence[Cell]) -> Chart | None:
    """Ours with the margin of one more run, and the published accuracy in the same row.

    Args:
        experiments: Ours.
        cells: All published ones, see `read_cells`.
    """
    records = published_records(experiments, cells)
    if not records:
        return None
    names = list(dict.fromkeys(record["row"] for record in records))
    axis = alt.Axis(title=None, grid=False, ticks=False, domain=False, labelLimit=220)
    rows = alt.Y("row:N", sort=names, axis=axis)
    kinds = alt.Scale(domain=[_OURS, _PUBLISHED], range=[style.BLUE, style.RED])
    shapes = alt.Scale(domain=[_OURS, _PUBLISHED], range=["diamond", "circle"])
    base = alt.Chart(inline_data(records)).encode(y=rows, color=alt.Color("kind:N", scale=kinds))
    x = alt.X("score:Q", title="top-1 accuracy (%)", scale=alt.Scale(zero=False))
    chart = alt.layer(
        base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=x,
            shape=alt.Shape("kind:N", scale=shapes),
            tooltip=tooltips("row:N", "kind:N", "track:N", "score:Q", "low:Q", "high:Q"),
        ),
    )
    note = (
        "A row for each method, pair and epoch, with the track. Bars: where one more run of ours "
        "is expected with 95 %; a published result outside of it differs."
    )
    return finished_chart(NAME, "Ours and published", note, chart, ROW_HEIGHT * len(names) + 20)


def published_records(experiments: Sequence[Experiment], cells: Sequence[Cell]) -> Records:
    """Two records for each comparison with a published result: ours, and the published one."""
    records: list[dict[str, Any]] = []
    for pair, cell, compared in published_rows(experiments, cells):
        if compared.published is None:
            continue
        row = f"{cell.method}, {compared.epoch} ({cell.track})"
        facts = {"row": f"{row} {pair}" if len(experiments) > 1 else row, "track": cell.track}
        margin = 0.0 if math.isnan(compared.margin) else compared.margin
        for kind, score, spread in (
            (_OURS, compared.mean, margin),
            (_PUBLISHED, compared.published, 0.0),
        ):
            ends = {"low": round(score - spread, 4), "high": round(score + spread, 4)}
            records.append({**facts, "kind": kind, "score": round(score, 4), **ends})
    return records
