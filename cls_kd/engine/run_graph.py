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
    """

    def __init__(self, runs: Sequence[Run]) -> None:
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

    def start(self, run: Run) -> None:
        """The run is being trained."""
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
            self.put_back(run)
        elif outcome is Outcome.FAILED:
            self.fail(run, on_event)
        else:
            self._open.discard(run.work_dir)

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
