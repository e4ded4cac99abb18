"""The executor of sweeps in this process: a failed run does not end it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cls_kd.engine.cohort_executor import GroupAttempt, attempt_together, group_to_train
from cls_kd.engine.events import EventConsumer
from cls_kd.engine.run_graph import POLL_SECONDS, RunGraph
from cls_kd.runs import Run


class SerialExecutor:
    """Trains one run after the other in this process.

    See ``cls_kd.engine.execute.Executor``. A run that another process trains is waited for.

    Args:
        trained_by: Attempts the runs of a group.
        max_members: Maximum number of runs that are trained together.
    """

    def __init__(self, trained_by: GroupAttempt = attempt_together, max_members: int = 1) -> None:
        self._attempt = trained_by
        self._max_members = max_members

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool = True,
        launcher: str = "none",
        on_event: EventConsumer,
    ) -> None:
        """Train every run that can be trained; each goes on from its last checkpoint."""
        groups = group_to_train(runs, True, self._max_members).groups
        graph = RunGraph(runs, groups)
        while not graph.is_done:
            ready = graph.ready_groups()
            for members in ready:
                graph.start(*members)
                outcomes = self._attempt(members, launcher=launcher, on_event=on_event)
                for run, outcome in zip(members, outcomes, strict=True):
                    graph.settle(run, outcome, on_event)
            if not ready:
                time.sleep(POLL_SECONDS)
