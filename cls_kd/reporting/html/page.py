"""One self-contained HTML page: verdict, tables, plots, settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from altair.utils.schemapi import debug_mode

from cls_kd.files import write_atomically
from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html import assets
from cls_kd.reporting.html.charts import (
    Chart,
    charts_of_pair,
    colors_of,
    forest_chart,
    static,
)
from cls_kd.reporting.html.published import published_table
from cls_kd.reporting.html.published_chart import NAME as PUBLISHED
from cls_kd.reporting.html.published_chart import published_chart
from cls_kd.reporting.html.settings import differences, environments, settings_of
from cls_kd.reporting.html.table import Table, methods_table, over_pairs_table, runs_table
from cls_kd.reporting.html.teachers import teachers_table
from cls_kd.reporting.html.verdict import over_pairs, sentences, verdict_of
from cls_kd.reporting.latency import conditions_of
from cls_kd.runs.benchmarks import Cell, read_cells

MAX_BYTES = 2_000_000
"""Size of the page up to which it holds pictures for browsers without JavaScript."""

_TEMPLATE = "template.html.j2"
_MAX_POINTS = 4000  # of all learning curves of a page
_MIN_EPOCHS = 12


def write_page(path: Path, title: str, experiments: Sequence[Experiment]) -> None:
    """Write the page, see `page`."""
    write_atomically(path, page(title, experiments, read_cells()))


def page(title: str, experiments: Sequence[Experiment], cells: Sequence[Cell] = ()) -> str:
    """The page as text. The same results give the same text.

    Args:
        title: Heading.
        experiments: One for each pair of networks.
        cells: Published results, for comparison.
    """
    # Altair would check every plot against Vega-Lite's schema, for most of the page's time.
    with debug_mode(False):
        charts = _charts(experiments, cells)
    content = _content(title, experiments, cells, charts)
    text = _rendered(content, {})
    pictures = _pictures(charts, MAX_BYTES - len(text.encode()))
    return _rendered(content, pictures) if pictures else text


def _charts(experiments: Sequence[Experiment], cells: Sequence[Cell]) -> dict[str, list[Chart]]:
    """Plots of all pairs together, under an empty key, and those of each pair."""
    colors = colors_of(experiments)
    curves = sum(len(experiment.compared) for experiment in experiments)
    points = max(_MIN_EPOCHS, _MAX_POINTS // max(curves, 1))
    of_all = (forest_chart(experiments), published_chart(experiments, cells))
    charts = {"": [chart for chart in of_all if chart is not None]}
    for index, experiment in enumerate(experiments):
        charts[experiment.pair] = charts_of_pair(experiment, colors, f"pair_{index}", points)
    return charts


def _content(
    title: str,
    experiments: Sequence[Experiment],
    cells: Sequence[Cell],
    charts: dict[str, list[Chart]],
) -> dict[str, Any]:
    verdicts = [verdict_of(experiment) for experiment in experiments]
    metric = experiments[0].report.collected.metric
    published = published_table(experiments, cells)
    tables = [methods_table(experiments), runs_table(experiments)]
    latency = _latency_note(experiments)
    several = over_pairs_table(over_pairs(verdicts)) if len(experiments) > 1 else None
    teachers = teachers_table(experiments)
    sortable = [*tables, *(table for table in (published, teachers) if table.rows)]
    specs = {chart.name: chart.spec for group in charts.values() for chart in group}
    return {
        "title": title,
        "experiments": experiments,
        "metric": metric.title,
        "verdicts": [(verdict.pair, sentences(verdict, metric)) for verdict in verdicts],
        "warnings": _unique(line for e in experiments for line in e.report.warnings()),
        "notes": [*_unique(line for e in experiments for line in e.report.notes()), *latency],
        "over_pairs": several if several and several.rows else None,
        "methods": tables[0],
        "runs": tables[1],
        "published": published if published.rows else None,
        "published_chart": _named(charts[""], PUBLISHED),
        "gains": _named(charts[""], "gains"),
        "teachers": teachers if teachers.rows else None,
        "charts": charts,
        "settings": [(e.pair, *_settings(e)) for e in experiments],
        "environments": environments(experiments),
        "specs": assets.json_text(specs),
        "options": assets.json_text(_options(sortable)),
    }


def _latency_note(experiments: Sequence[Experiment]) -> list[str]:
    """Conditions of the measured latencies; nothing where none was measured."""
    every = (each for e in experiments for run in e.summary["run"] for each in e.latencies(run))
    measured = [each for each in every if each is not None]
    if not measured:
        return []
    return [f"Latency: median time of a forward pass of the student; {conditions_of(measured)}."]


def _named(charts: Sequence[Chart], name: str) -> Chart | None:
    return next((chart for chart in charts if chart.name == name), None)


def _unique(lines: Any) -> list[str]:
    return list(dict.fromkeys(lines))


def _options(tables: Sequence[Table]) -> dict[str, Any]:
    return {table.name: table.options for table in tables}


def _settings(experiment: Experiment) -> tuple[str, dict[str, Any], list[Any]]:
    """The run that the others are compared with, its settings, and the others' differences."""
    settings = settings_of(experiment)
    baseline = experiment.report.comparison.baseline
    first = baseline if baseline in settings else next(iter(settings), "")
    if not first:
        return "", {}, []
    others = [
        (run, differences(settings[first], values))
        for run, values in settings.items()
        if run != first
    ]
    return first, settings[first], others


def _pictures(charts: dict[str, list[Chart]], room: int) -> dict[str, Any]:
    """Plots as SVG, in the order of the page, as far as there is room for them."""
    pictures = {}
    for chart in (chart for group in charts.values() for chart in group):
        svg = assets.picture(chart.name, static(chart.spec))
        if len(svg.encode()) <= room:
            room -= len(svg.encode())
            pictures[chart.name] = svg
    return pictures


def _rendered(content: dict[str, Any], pictures: dict[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(_TEMPLATE).render(
        content,
        pictures=pictures,
        vega=assets.vega_source(),
        datatables=assets.datatables_source(),
        datatables_style=assets.datatables_style(),
    )
