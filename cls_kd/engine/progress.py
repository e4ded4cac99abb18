"""A progress bar over the epochs of a list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cls_kd.engine.events import EpochFinished, RunEvent, RunFinished
from cls_kd.engine.loops import intervals
from cls_kd.runs import Run


class ProgressBar:
    """Shows the events of runs that are trained one after the other, or side by side.

    Args:
        runs: The runs, in order.
        console: Where the bar is drawn.
    """

    def __init__(self, runs: Sequence[Run], console: Console) -> None:
        lengths = {run.work_dir: intervals(run.cfg.train_cfg) for run in runs}
        self._titles = {run.work_dir: run.title for run in runs}
        self._lengths = lengths
        self._finished = dict.fromkeys(lengths, 0)
        self._bar = _columns(console)
        self._task = self._bar.add_task("", total=sum(lengths.values()))

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    @property
    def completed(self) -> int:
        """Finished epochs, or validation intervals where training counts iterations."""
        return int(self._bar.tasks[0].completed)

    def __call__(self, event: RunEvent) -> None:
        """Show an event."""
        folder = event.work_dir
        self._bar.update(self._task, description=self._titles[folder])
        if isinstance(event, EpochFinished):
            self._finished[folder] = event.finished
        elif isinstance(event, RunFinished):  # early stopping may have left epochs out
            self._finished[folder] = self._lengths[folder]
        self._bar.update(self._task, completed=sum(self._finished.values()))


def _columns(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )
