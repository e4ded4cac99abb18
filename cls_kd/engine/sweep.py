"""Training a sweep: what is not finished, by an executor that survives failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cls_kd.engine.estimate import Estimate, estimate
from cls_kd.engine.events import RunEvent, RunFailed, RunSkipped
from cls_kd.engine.execute import EventConsumers, Executor
from cls_kd.engine.progress import ProgressBar
from cls_kd.engine.sweep_status import record
from cls_kd.errors import UserError
from cls_kd.runs import Run, check_unchanged

MEASURED_SECONDS = 1.0
"""Length of the measurement of each pair and method."""

Plan = Mapping[str, Sequence[Run]]
"""Folder of a pair to its runs."""


@dataclass(frozen=True)
class Forecast:
    """Expected time and disk of the open runs of one name, on one pair.

    Attributes:
        pair: Folder of the pair.
        name: Of the runs.
        count: All runs of the name.
        open: Those that are not finished.
        each: Measured on one of them; None where all are finished, or it cannot be built.
        problem: Why it cannot be built; empty otherwise.
    """

    pair: str
    name: str
    count: int
    open: int
    each: Estimate | None
    problem: str = ""


def forecasts(plan: Plan) -> Iterator[Forecast]:
    """Expected time and disk of each pair and method, measured on this machine one by one.

    Raises:
        UserError: A run in the folder was made with another config.
    """
    for pair, runs in plan.items():
        for name in dict.fromkeys(run.name for run in runs):
            same = [run for run in runs if run.name == name]
            waiting = [run for run in same if not check_unchanged(run)]
            each, problem = None, ""
            if waiting:
                try:
                    each = estimate(waiting[0], MEASURED_SECONDS)
                except UserError as error:
                    problem = str(error)
            yield Forecast(pair, name, len(same), len(waiting), each, problem)


def without_problems(plan: Plan, expected: Sequence[Forecast]) -> dict[str, list[Run]]:
    """The plan without runs that cannot be built."""
    problems = {(forecast.pair, forecast.name) for forecast in expected if forecast.problem}
    return {
        pair: [run for run in runs if (pair, run.name) not in problems]
        for pair, runs in plan.items()
    }


def train_sweep(plan: Plan, work_dir: Path, executor: Executor, console: Console) -> dict[str, str]:
    """Train every run that is not finished.

    Args:
        plan: From ``cls_kd.runs.sweep.plan_sweep``.
        work_dir: Folder of the sweep, whose plan is recorded in it.
        executor: One that continues after failed runs.
        console: Shows a progress bar.

    Returns:
        Title of each failed run to the reason.
    """
    record(plan, work_dir)
    runs = [run for of_pair in plan.values() for run in of_pair if not check_unchanged(run)]
    if not runs:
        return {}
    for run in runs:
        run.cfg.console_log_level = "ERROR"  # the bar is the terminal's; the log files have all
    failures = Failures()
    with ProgressBar(runs, console) as bar:
        executor.execute(
            runs, resume=True, launcher="none", on_event=EventConsumers([bar, failures])
        )
    titles = {run.work_dir: f"{pair}/{run.title}" for pair, same in plan.items() for run in same}
    return {titles[folder]: reason for folder, reason in failures.reasons.items()}


class Failures:
    """Collects the reasons of failed and skipped runs.

    Attributes:
        reasons: Folder of a run to the reason.
    """

    def __init__(self) -> None:
        self.reasons: dict[Path, str] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take note of an event."""
        if isinstance(event, RunFailed):
            self.reasons[event.work_dir] = event.error
        elif isinstance(event, RunSkipped):
            self.reasons[event.work_dir] = event.reason
