"""Order of runs that build on each other: which can be trained now, and which never."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from cls_kd.engine.attempt import Outcome
from cls_kd.engine.events import EventConsumer, RunSkipped
from cls_kd.runs import Run

POLL_SECONDS = 0.5
"""Between two looks at runs that other processes train, and at the events of workers."""


class RunGraph:
    """Runs that are still to be trained.

    Args:
        runs: What is not finished; a run that one of them needs is among them, or finished.
        groups: Runs that are trained together. Default: each alone.
    """

    def __init__(self, runs: Sequence[Run], groups: Sequence[Sequence[Run]] | None = None) -> None:
        self._groups = [[*group] for group in (groups or [[run] for run in runs])]
        self._waiting = {run.work_dir: run for run in runs}
        self._open = set(self._waiting)
        self._failed: set[Path] = set()
        self._not_before: dict[Path, float] = {}

    @property
    def is_done(self) -> bool:
        """True if no run is waiting or being trained."""
        return not self._open

    def ready(self) -> list[Run]:
        """The waiting runs that need no open one, in order; not those just put back."""
        now = time.monotonic()
        return [
            run
            for run in self._waiting.values()
            if not any(needed.work_dir in self._open for needed in run.depends_on.values())
            and self._not_before.get(run.work_dir, now) <= now
        ]

    def ready_groups(self) -> list[list[Run]]:
        """Of each group the waiting runs, where all of these are ready."""
        ready = {run.work_dir for run in self.ready()}
        waiting = [
            [run for run in group if run.work_dir in self._waiting] for group in self._groups
        ]
        return [runs for runs in waiting if runs and all(run.work_dir in ready for run in runs)]

    def start(self, *runs: Run) -> None:
        """The runs are being trained."""
        for run in runs:
            del self._waiting[run.work_dir]

    def put_back(self, run: Run) -> None:
        """The run could not be trained now; it is ready again after `POLL_SECONDS`."""
        self._waiting[run.work_dir] = run
        self._not_before[run.work_dir] = time.monotonic() + POLL_SECONDS

    def settle(self, run: Run, outcome: Outcome, on_event: EventConsumer) -> None:
        """An attempt at a started run has ended.

        Args:
            run: Those that need it may be ready now, or never.
            outcome: Of the attempt.
            on_event: See `fail`.
        """
        if outcome is Outcome.HELD:
            self._separate(run)
            self.put_back(run)
        elif outcome is Outcome.FAILED:
            self.fail(run, on_event)
        else:
            self._open.discard(run.work_dir)

    def _separate(self, run: Run) -> None:
        """Others of its group do not wait for the run."""
        for group in self._groups:
            if run in group and len(group) > 1:
                group.remove(run)
                self._groups.append([run])
                return

    def fail(self, run: Run, on_event: EventConsumer) -> None:
        """The run has failed, and with it all that need it.

        Args:
            run: It stays in the way of what needs it.
            on_event: Called with `RunSkipped` for each of those.
        """
        self._open.discard(run.work_dir)
        self._failed.add(run.work_dir)
        # In order, so that what needs a skipped run is met after it.
        for other in list(self._waiting.values()):
            needed = [need for need in other.depends_on.values() if need.work_dir in self._failed]
            if needed:
                self.start(other)
                self._open.discard(other.work_dir)
                self._failed.add(other.work_dir)
                on_event(RunSkipped.of(other, reason=f"it needs {needed[0].title}, which failed"))
