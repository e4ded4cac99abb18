"""The executor of sweeps in this process: a failed run does not end it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cls_kd.engine.attempt import Attempt, attempt
from cls_kd.engine.events import EventConsumer
from cls_kd.engine.run_graph import POLL_SECONDS, RunGraph
from cls_kd.runs import Run


class SerialExecutor:
    """Trains one run after the other in this process.

    See ``cls_kd.engine.execute.Executor``. A run that another process trains is waited for.

    Args:
        trained_by: Attempts one run.
    """

    def __init__(self, trained_by: Attempt = attempt) -> None:
        self._attempt = trained_by

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool = True,
        launcher: str = "none",
        on_event: EventConsumer,
    ) -> None:
        """Train every run that can be trained; each goes on from its last checkpoint."""
        graph = RunGraph(runs)
        while not graph.is_done:
            ready = graph.ready()
            for run in ready:
                graph.start(run)
                outcome = self._attempt(run, launcher=launcher, on_event=on_event)
                graph.settle(run, outcome, on_event)
            if not ready:
                time.sleep(POLL_SECONDS)
