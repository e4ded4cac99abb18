"""One row a run: its spread over seeds and its paired gain over the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import pandas as pd
from rich.table import Table

from cls_kd.markdown import markdown_table
from cls_kd.reporting.metrics import DEFAULT, Metric, metric_of
from cls_kd.reporting.statistics import Gain, adjusted_by_name, paired_gain

ScoreColumn = Literal["test", "last"]
"""Column with the scores that are compared. ``report.csv`` has it under the title ``figure``."""

SPLITS: dict[ScoreColumn, str] = {"test": "test", "last": "validation"}

_NO_GAIN = Gain(0, *[float("nan")] * 5)


def score_label(column: ScoreColumn, metric: Metric) -> str:
    """For axes and notes: ``test top-1 accuracy (%)``."""
    late = " at the last epoch" if column == "last" else ""
    return f"{SPLITS[column]} {metric.label}{late}"


def score_column(runs: pd.DataFrame, references: Sequence[str] = ()) -> ScoreColumn:
    """``test`` where every compared run and seed has it, else ``last``: never a mixture.

    Runs that do not have the metric at all do not count.
    """
    measured = runs["test"].notna() | runs["last"].notna()
    compared = runs[~runs["run"].isin(references) & measured]
    return "test" if len(compared) and compared["test"].notna().all() else "last"


def summarize(
    runs: pd.DataFrame,
    baseline: str | None,
    references: Sequence[str] = (),
    metric: Metric | None = None,
) -> pd.DataFrame:
    """The table: baseline first, then the other runs by name, references last.

    Args:
        runs: From `collect`.
        baseline: The run that the others are compared with; None for no gains.
        references: Runs with another network or other data (the teacher): listed, not compared.
        metric: The metric of the scores. Default: top-1 accuracy.

    Returns:
        One row a run; ``p_adjusted`` is adjusted for the number of runs with a p-value.
    """
    metric = metric or metric_of(DEFAULT)
    column = score_column(runs, references)
    first = [] if baseline is None else [baseline]
    others = sorted(set(runs["run"]) - {*first, *references})
    by_run = {name: group.set_index("seed") for name, group in runs.groupby("run")}
    gains = {}
    if baseline is not None:
        base = by_run[baseline][column]
        gains = {name: paired_gain(by_run[name][column], base) for name in others}
        gains = adjusted_by_name(gains)
    rows = []
    for name in (*first, *others, *references):
        gain = gains.get(name, _NO_GAIN)
        verdict = metric.worded(gain.verdict) if name in gains else "-"
        if name == baseline or name in references:
            verdict = "baseline" if name == baseline else "reference"
        row = {**_spread(name, by_run[name], column), "metric": metric.key, "verdict": verdict}
        row |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
        row |= {"p_value": gain.p_value, "p_adjusted": gain.p_adjusted, "pairs": gain.pairs}
        rows.append(row)
    return pd.DataFrame(rows)


def _spread(name: str, group: pd.DataFrame, column: ScoreColumn) -> dict[str, object]:
    values = group[column]
    return {
        "run": name,
        "method": group["method"].iloc[0],
        "seeds": int(values.notna().sum()),
        "figure": column,
        "mean": values.mean(),
        "std": values.std(ddof=1),
        "min": values.min(),
        "max": values.max(),
        "last": group["last"].mean(),
        "best": group["best"].mean(),
        "best_epoch": group["best_epoch"].mean(),
        "epochs": group["epochs"].max(),
        "parameters": group["parameters"].iloc[0],
        "seconds": group["seconds"].mean(),
    }


def _number(value: float, form: str = ".2f") -> str:
    return "-" if pd.isna(value) else format(value, form)


def _best(row: pd.Series) -> str:
    return f"{_number(row['best'])} ({_number(row['best_epoch'], '.1f')})"


def _gain(row: pd.Series) -> str:
    if pd.isna(row["gain"]):
        return "-"
    if pd.isna(row["gain_low"]):
        return f"{row['gain']:+.2f}"
    return f"{row['gain']:+.2f} [{row['gain_low']:+.2f}, {row['gain_high']:+.2f}]"


def _p_value(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else _number(value, ".4f")


# Title of a column and how a row fills it: one list for the page and for the terminal. {split} is
# that of the scores which are compared.
_COLUMNS: tuple[tuple[str, Callable[[pd.Series], str]], ...] = (
    ("run", lambda row: str(row["run"])),
    ("seeds", lambda row: str(row["seeds"])),
    ("{split} mean", lambda row: _number(row["mean"])),
    ("std", lambda row: _number(row["std"])),
    ("min - max", lambda row: f"{_number(row['min'])} - {_number(row['max'])}"),
    ("gain [95 % CI]", _gain),
    ("pairs", lambda row: str(row["pairs"]) if row["pairs"] else "-"),
    ("p", lambda row: _p_value(row["p_value"])),
    ("p adjusted", lambda row: _p_value(row["p_adjusted"])),
    ("verdict", lambda row: str(row["verdict"])),
    ("validation last", lambda row: _number(row["last"])),
    ("validation best (epoch)", _best),
    ("parameters", lambda row: _number(row["parameters"], ",.0f")),
    ("seconds", lambda row: _number(row["seconds"], ".1f")),
)

_WORDS = ("run", "verdict")
_ON_TERMINAL = ("run", "seeds", "{split} mean", "std", "gain [95 % CI]", "verdict")


def to_markdown(summary: pd.DataFrame) -> str:
    """The table as a page shows it."""
    split = SPLITS[summary["figure"].iloc[0]]
    titles = [title.format(split=split) for title, _ in _COLUMNS]
    body = ([cell(row) for _, cell in _COLUMNS] for _, row in summary.iterrows())
    return markdown_table(titles, body, [title for title in titles if title not in _WORDS])


def to_terminal(summary: pd.DataFrame, title: str) -> Table:
    """Subset of the columns, for a terminal of 80 characters."""
    split = SPLITS[summary["figure"].iloc[0]]
    shown = [column for column in _COLUMNS if column[0] in _ON_TERMINAL]
    table = Table(title=title)
    for name, cell in shown:
        if name in _WORDS:
            table.add_column(name, overflow="fold")
        else:  # A number is never cut.
            width = max(len(cell(row)) for _, row in summary.iterrows())
            heading = name.format(split=split)
            words = max(len(word) for word in heading.split())
            table.add_column(heading, justify="right", min_width=max(width, words))
    colors = {"better": "green", "worse": "red"}
    for _, row in summary.iterrows():
        table.add_row(*(cell(row) for _, cell in shown), style=colors.get(row["verdict"]))
    return table
