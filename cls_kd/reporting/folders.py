"""Folders of finished runs, and the earlier report in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cls_kd.errors import UserError
from cls_kd.reporting.collect import results_under


class FormerReport(NamedTuple):
    """Settings that a report keeps from the one that it replaces.

    Attributes:
        baseline: Its baseline; None without one.
        references: Its references.
        title: Its heading; None without a report.
        sections: The parts of its page that analyses wrote.
    """

    baseline: str | None = None
    references: tuple[str, ...] = ()
    title: str | None = None
    sections: str = ""


def experiments_among(folders: Sequence[Path]) -> bool:
    """True if the folders are several experiments, with a table each, rather than runs.

    An experiment has several runs; a run is a folder with one run, of one or several seeds.

    Raises:
        UserError: A folder has no finished run, or some are runs and some are experiments.
    """
    kinds = {folder: _is_experiment(folder) for folder in folders}
    if len(folders) == 1:
        return False
    if len(set(kinds.values())) > 1:
        experiments = ", ".join(str(folder) for folder in folders if kinds[folder])
        runs = ", ".join(str(folder) for folder in folders if not kinds[folder])
        raise UserError(
            f"Some folders are experiments of several runs ({experiments}), others are one run "
            f"({runs}). Give runs, which are compared in one table, or experiments, whose tables "
            "are put on one page."
        )
    return kinds[folders[0]]


def former_report(folder: Path) -> FormerReport:
    """Settings of the report in a folder; empty where there is none that can be read."""
    page, table = folder / "report.md", folder / "report.csv"
    if not page.is_file() or not table.is_file():
        return FormerReport()
    text = page.read_text(encoding="utf-8")
    try:
        summary = pd.read_csv(table)
        verdicts = summary["verdict"]
    except (ValueError, KeyError):
        return FormerReport()
    if "experiment" in summary:
        return FormerReport()
    head, mark, sections = text.partition("\n## ")
    return FormerReport(
        next(iter(summary.loc[verdicts == "baseline", "run"]), None),
        tuple(summary.loc[verdicts == "reference", "run"]),
        head.partition("\n")[0].removeprefix("# ") or None,
        mark + sections,
    )


def _is_experiment(folder: Path) -> bool:
    files = results_under(folder)
    if not files:
        raise UserError(
            f"No finished run under {folder}: expected result.json, <run>/result.json or "
            "<run>/seed_<k>/result.json."
        )
    return len({_run_folder(file) for file in files}) > 1


def _run_folder(file: Path) -> Path:
    """The folder of a run, which may hold one folder for each seed."""
    folder = file.parent
    return folder.parent if folder.name.startswith("seed_") else folder
