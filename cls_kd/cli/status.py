"""``cls-kd status``: where the runs of a sweep, a search or a comparison stand."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cls_kd.engine.durations import duration_text
from cls_kd.engine.sweep_status import STATES, STOPPED, RunStatus, sweep_status

EXAMPLES = ("cls-kd status work_dirs/sweep", "cls-kd status work_dirs/tune_pair_at")
_STYLES = {"finished": "green", "running": "cyan", STOPPED: "dim", "failed": "red", "waiting": ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", help="--work-dir of cls-kd sweep, tune or choose")


def run(args: argparse.Namespace) -> int:
    """Show; 1 if a run has failed."""
    statuses = sweep_status(Path(args.folder))
    table = Table()
    for title in ("run", "state", "epochs", "left"):
        table.add_column(title, justify="right" if title in ("epochs", "left") else "left")
    table.add_column("reason", overflow="fold")
    for status in statuses:
        table.add_row(*_row(status), style=_STYLES[status.state])
    console = Console()
    console.print(table)
    counts = Counter(status.state for status in statuses)
    shown = [state for state in STATES if counts[state] or state != STOPPED]
    console.print(", ".join(f"{counts[state]} {state}" for state in shown), highlight=False)
    return int(counts["failed"] > 0)


def _row(status: RunStatus) -> tuple[str, ...]:
    left = "" if status.remaining is None else duration_text(status.remaining)
    epochs = f"{status.finished} of {status.length}"
    return status.title, status.state, epochs, left, escape(status.reason)
