"""One row a run: its spread over seeds and its paired gain over the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import pandas as pd
from rich.table import Table

from cls_kd.errors import UserError, did_you_mean
from cls_kd.reporting.statistics import Gain, paired_gain

Figure = Literal["test", "last"]

FIGURE_NAMES: dict[Figure, str] = {
    "test": "test accuracy",
    "last": "validation accuracy at the last epoch",
}


def figure_of(runs: pd.DataFrame, references: Sequence[str] = ()) -> Figure:
    """Test where every compared run and seed has one, else validation: never a mixture."""
    compared = runs[~runs["run"].isin(references)]
    return "test" if len(compared) and compared["test"].notna().all() else "last"


def summarise(
    runs: pd.DataFrame,
    baseline: str,
    references: Sequence[str] = (),
    figure: Figure | None = None,
) -> pd.DataFrame:
    """The table: baseline first, then the other runs by name, references last.

    Args:
        runs: From `collect`.
        baseline: The run that the others are compared with.
        references: Runs with another network or other data (the teacher): listed, not compared.
        figure: Which column of ``runs`` to compare. Default: see `figure_of`.

    Raises:
        UserError: ``baseline`` or a reference is not among the runs, or they are the same.
    """
    names = set(runs["run"])
    for name in (baseline, *references):
        if name not in names:
            raise UserError(f"No finished run {name!r} to report on.{did_you_mean(name, names)}")
    if baseline in references:
        raise UserError(f"{baseline!r} is the baseline, and cannot be a reference as well.")
    figure = figure or figure_of(runs, references)
    others = sorted(names - {baseline, *references})
    by_run = {name: group.set_index("seed") for name, group in runs.groupby("run")}
    rows = []
    for name in (baseline, *others, *references):
        row = _spread(name, by_run[name], figure)
        gain = Gain(0, *[float("nan")] * 4)
        if name in others:
            gain = paired_gain(by_run[name][figure], by_run[baseline][figure])
            row["verdict"] = gain.verdict
        else:
            row["verdict"] = "baseline" if name == baseline else "reference"
        row |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
        row |= {"p_value": gain.p_value, "pairs": gain.pairs}
        rows.append(row)
    return pd.DataFrame(rows)


def _spread(name: str, group: pd.DataFrame, figure: Figure) -> dict[str, object]:
    values = group[figure]
    return {
        "run": name,
        "method": group["method"].iloc[0],
        "seeds": int(values.notna().sum()),
        "figure": figure,
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


def _p_value(row: pd.Series) -> str:
    value = row["p_value"]
    return "< 0.0001" if value < 1e-4 else _number(value, ".4f")


# Title of a column and how a row fills it: one list for the page and for the terminal.
_COLUMNS: tuple[tuple[str, Callable[[pd.Series], str]], ...] = (
    ("run", lambda row: str(row["run"])),
    ("seeds", lambda row: str(row["seeds"])),
    ("mean", lambda row: _number(row["mean"])),
    ("std", lambda row: _number(row["std"])),
    ("min - max", lambda row: f"{_number(row['min'])} - {_number(row['max'])}"),
    ("val last", lambda row: _number(row["last"])),
    ("val best (epoch)", _best),
    ("gain [95 % CI]", _gain),
    ("p", _p_value),
    ("pairs", lambda row: str(row["pairs"]) if row["pairs"] else "-"),
    ("verdict", lambda row: str(row["verdict"])),
    ("parameters", lambda row: _number(row["parameters"], ",.0f")),
    ("seconds", lambda row: _number(row["seconds"], ".1f")),
)

_ON_TERMINAL = ("run", "seeds", "mean", "std", "gain [95 % CI]", "verdict")


def to_markdown(summary: pd.DataFrame) -> str:
    """The table as a page shows it."""
    titles = [title for title, _ in _COLUMNS]
    rules = ["---" if title in ("run", "verdict") else "---:" for title in titles]
    body = [
        [cell(row).replace("|", "\\|") for _, cell in _COLUMNS] for _, row in summary.iterrows()
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rules, *body)) + "\n"


def to_terminal(summary: pd.DataFrame, title: str) -> Table:
    """What of the table a terminal of usual width has room for."""
    shown = [column for column in _COLUMNS if column[0] in _ON_TERMINAL]
    table = Table(title=title)
    for name, cell in shown:
        if name in ("run", "verdict"):
            table.add_column(name, overflow="fold")
        else:  # A number is never cut.
            width = max(len(name), *(len(cell(row)) for _, row in summary.iterrows()))
            table.add_column(name, justify="right", min_width=width)
    colours = {"better": "green", "worse": "red"}
    for _, row in summary.iterrows():
        table.add_row(*(cell(row) for _, cell in shown), style=colours.get(row["verdict"]))
    return table
