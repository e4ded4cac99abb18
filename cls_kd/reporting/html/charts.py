"""The plots of the page, as Vega-Lite specifications made with Altair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from cls_kd.reporting import style
from cls_kd.reporting.experiments import Experiment, methods_of
from cls_kd.reporting.html import series
from cls_kd.reporting.tables import score_label

STATIC_WIDTH = 720
"""Width in pixels of a plot without JavaScript; otherwise a plot is as wide as the page."""

ROW_HEIGHT = 26
"""Pixels of one method in a plot with a row for each."""

_MAX_LABELS = 12
_MAX_TICKS = 12
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])
_CONFIG = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
    "axisY": {"labelLimit": 140},
    "legend": {
        "orient": "bottom",
        "labelFontSize": 12,
        "columns": 3,
        "labelLimit": 110,
        "title": None,
        "symbolStrokeWidth": 3,
    },
}
Records = list[dict[str, Any]]


class Chart(NamedTuple):
    """A plot of the page.

    Attributes:
        name: Id of its element.
        title: Heading.
        note: What is drawn.
        spec: In Vega-Lite.
    """

    name: str
    title: str
    note: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Colors:
    """A color and a dash for each method, the same in all plots.

    Attributes:
        names: Methods in the order of the legend.
        all_names: Every method of the page: its place decides on color and dash; 28 differ.
    """

    names: Sequence[str]
    all_names: Sequence[str]

    def color(self, legend: bool = False) -> alt.Color:
        """Encoding of the color."""
        colors = [style.color_of(self.all_names.index(name)) for name in self.names]
        key = alt.Legend(symbolOpacity=1, symbolType="stroke") if legend else None
        return alt.Color("method:N", scale=self._scale(colors), legend=key)

    def dash(self) -> alt.StrokeDash:
        """Encoding of the dash, which the legend of the color shows too."""
        rounds = [self.all_names.index(name) // len(style.PALETTE) for name in self.names]
        dashes = [_DASHES[count % len(_DASHES)] for count in rounds]
        return alt.StrokeDash("method:N", scale=self._scale(dashes), legend=alt.Legend())

    def only(self, names: Sequence[str]) -> Colors:
        """The same colors, with these methods alone in the legend."""
        return replace(self, names=names)

    def _scale(self, values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=list(self.names), range=list(values))


def forest_chart(experiments: Sequence[Experiment]) -> Chart | None:
    """Gains over the baseline with their intervals: a row a method, in it a line a pair."""
    records = series.gains(experiments)
    if not records:
        return None
    names = list(dict.fromkeys(record["method"] for record in records))
    pairs = [experiment.pair for experiment in experiments]
    several = len(pairs) > 1
    base = alt.Chart(inline_data(records)).encode(y=_rows(names))
    if several:
        scale = alt.Scale(domain=pairs, range=[style.color_of(i) for i in range(len(pairs))])
        color: Any = alt.Color("pair:N", scale=scale, legend=alt.Legend())
        base = base.encode(yOffset=alt.YOffset("pair:N", scale=alt.Scale(domain=pairs)))
    else:
        kinds = [*style.VERDICT_COLORS, "other"]
        scale = alt.Scale(domain=kinds, range=[*style.VERDICT_COLORS.values(), style.GRAY])
        color = alt.Color("kind:N", scale=scale, legend=None)
    metric = experiments[0].report.collected.metric
    gain = alt.X("gain:Q", title=f"gain in {metric.unit}", scale=alt.Scale(zero=True))
    tooltip = tooltips("pair:N", "method:N", "gain:Q", "low:Q", "high:Q", "p:N", "adjusted:N")
    zero = alt.Chart(inline_data([{"gain": 0}])).mark_rule(strokeDash=[6, 3], color=style.GRAY)
    chart = alt.layer(
        zero.encode(x="gain:Q"),
        base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q", color=color),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=gain, color=color, shape=alt.value("diamond"), tooltip=tooltip
        ),
    )
    lines = len(records) if several else 0
    return finished_chart(
        "gains",
        "Gains over the baseline",
        "Mean of the differences seed by seed, and its 95 % t interval, not adjusted for the "
        "number of comparisons." + ("" if several else " Green: better; orange: worse."),
        chart,
        max(ROW_HEIGHT * len(names), 16 * lines) + 10,
    )


def scores_chart(experiment: Experiment, colors: Colors, name: str) -> Chart:
    """Each run's seeds, their mean and its interval."""
    seeds, means = series.scores(experiment)
    names = [record["method"] for record in means]
    metric = experiment.report.collected.metric
    label = score_label(experiment.column, metric)
    x = alt.X("score:Q", title=label, scale=alt.Scale(zero=False))
    rows = _rows(names)
    interval = alt.Chart(inline_data(means)).encode(y=rows, color=colors.color())
    points = alt.Chart(inline_data(seeds)).mark_point(filled=True, opacity=0.45, size=36, yOffset=7)
    chart = alt.layer(
        interval.mark_rule(strokeWidth=3, yOffset=-2).encode(x=alt.X("low:Q"), x2="high:Q"),
        interval.mark_point(filled=True, size=90, shape="diamond", yOffset=-2, opacity=1).encode(
            x=x, tooltip=tooltips("method:N", "score:Q", "low:Q", "high:Q")
        ),
        points.encode(
            x=x, y=rows, color=colors.color(), tooltip=tooltips("method:N", "seed:N", "score:Q")
        ),
    )
    note = "Diamonds: means with their 95 % t intervals. Dots: seeds."
    return finished_chart(name, "Scores", note, chart, ROW_HEIGHT * len(names) + 20)


def curves_chart(experiment: Experiment, colors: Colors, name: str, points: int) -> Chart | None:
    """Validation over epochs: mean over seeds, and the band from lowest to highest.

    Args:
        experiment: The pair.
        colors: Of the methods.
        name: Id of the plot.
        points: At most so many epochs of each method are drawn.
    """
    records, low, high = series.curves(experiment, points)
    if not records:
        return None
    names = [run for run in experiment.compared if any(r["method"] == run for r in records)]
    shown = colors.only(names)
    color = shown.color(legend=True)
    label = f"validation {experiment.report.collected.metric.label}"
    y = alt.Y("mean:Q", title=label, scale=alt.Scale(domain=[low, high], nice=False))
    selected = alt.param(
        name="highlight",
        value="",
        bind=alt.binding_select(
            options=["", *names], labels=["all methods", *names], name="Highlight "
        ),
    )
    chosen = "highlight == '' || datum.method == highlight"
    base = alt.Chart(inline_data(records)).encode(
        x=alt.X(
            "epoch:Q",
            title="epoch",
            axis=alt.Axis(format="d", **_whole_ticks(records)),
            scale=alt.Scale(zero=False, nice=False),
        )
    )
    layers = [
        base.mark_area(clip=True).encode(
            y=alt.Y("low:Q", title=label, scale=alt.Scale(domain=[low, high], nice=False)),
            y2="high:Q",
            color=color,
            opacity=alt.condition(chosen, alt.value(0.16), alt.value(0.02)),
        ),
        base.mark_line(clip=True, strokeWidth=2).encode(
            y=y,
            color=color,
            strokeDash=shown.dash(),
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.12)),
        ),
    ]
    layers += _teacher(experiment, y)
    note = "Mean over seeds; bands from the lowest to the highest seed."
    if len(layers) > 2:
        note += " Dashed: the teacher."
    return finished_chart(
        name, "Learning curves", note, alt.layer(*layers).add_params(selected), 300
    )


def _teacher(experiment: Experiment, y: alt.Y) -> list[alt.Chart]:
    best = experiment.runs["teacher"].max()
    if pd.isna(best):
        return []
    data = inline_data([{"mean": round(float(best), 3)}])
    rule = alt.Chart(data).mark_rule(strokeDash=[6, 3], color=style.GRAY, clip=True)
    return [rule.encode(y=y, tooltip=alt.Tooltip("mean:Q", title="teacher", format=".2f"))]


def cost_chart(
    experiment: Experiment, colors: Colors, name: str, cost: Mapping[str, float], title: str
) -> Chart | None:
    """Mean score against a cost, and the methods that no other one beats in both (Pareto front).

    Args:
        experiment: The pair.
        colors: Of the methods.
        name: Id of the plot.
        cost: Of each run; those without one are left out.
        title: Of the cost, with its unit.
    """
    records = series.costs(experiment, cost)
    if len({record["cost"] for record in records}) < 2:
        return None
    values = [record["cost"] for record in records]
    wide = min(values) > 0 and max(values) > 20 * min(values)
    x = alt.X("cost:Q", title=title, scale=alt.Scale(type="log" if wide else "linear", zero=False))
    label = score_label(experiment.column, experiment.report.collected.metric)
    y = alt.Y("score:Q", title=label, scale=alt.Scale(zero=False))
    base = alt.Chart(inline_data(records)).encode(x=x, color=colors.color())
    front = alt.Chart(inline_data([record for record in records if record["front"]]))
    layers = [
        front.mark_line(interpolate="step-after", strokeDash=[4, 3], color=style.GRAY).encode(
            x=x, y=y, order="cost:Q"
        ),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            y=y, tooltip=tooltips("method:N", "cost:Q", "score:Q", "low:Q", "high:Q")
        ),
    ]
    if len(records) <= _MAX_LABELS:
        labels = base.mark_text(dx=9, dy=-9, align="left", fontSize=12)
        layers.append(labels.encode(y=y, text="method:N"))
    note = (
        "Bars: 95 % t intervals of the means. Dashed: the Pareto front, the methods to which no "
        "other one is superior in both."
    )
    return finished_chart(name, f"Against {title}", note, alt.layer(*layers), 280)


def charts_of_pair(experiment: Experiment, colors: Colors, prefix: str, points: int) -> list[Chart]:
    """The plots of one pair; those without data are left out."""
    costs = series.known_costs(experiment)
    charts = [
        scores_chart(experiment, colors, f"{prefix}_scores"),
        curves_chart(experiment, colors, f"{prefix}_curves", points),
        *(
            cost_chart(experiment, colors, f"{prefix}_{key}", values, title)
            for key, (title, values) in costs.items()
        ),
    ]
    return [chart for chart in charts if chart is not None]


def colors_of(experiments: Sequence[Experiment]) -> Colors:
    """Colors of all methods and references."""
    names = methods_of(experiments)
    others = {run for experiment in experiments for run in experiment.summary["run"]} - set(names)
    names += sorted(others)
    return Colors(names, names)


def static(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same plot with a fixed width, for a picture."""
    return {**spec, "width": STATIC_WIDTH}


def _whole_ticks(records: Records) -> dict[str, Any]:
    """Ticks at every epoch of a short training, where they would else be at fractions."""
    first, last = (end(record["epoch"] for record in records) for end in (min, max))
    return {"values": list(range(first, last + 1))} if last - first <= _MAX_TICKS else {}


def tooltips(*fields: str) -> list[alt.Tooltip]:
    """Fields that are shown for a mark, numbers with two digits."""
    return [
        alt.Tooltip(field, format=",.2f") if field.endswith(":Q") else alt.Tooltip(field)
        for field in fields
    ]


def _rows(names: Sequence[str]) -> alt.Y:
    axis = alt.Axis(title=None, grid=False, ticks=False, domain=False)
    return alt.Y("method:N", sort=list(names), axis=axis)


def inline_data(records: Records) -> alt.InlineData:
    """Records within the specification."""
    return alt.InlineData(values=records)


def finished_chart(name: str, title: str, note: str, chart: Any, height: int) -> Chart:
    """A plot of the page from one of Altair, as wide as the page."""
    spec = chart.properties(height=height, width="container").to_dict()
    del spec["$schema"]  # an address, and nothing is read from it
    spec |= {"config": _CONFIG, "description": title}
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return Chart(name, title, note, spec)
