"""Training of a list of runs, in order, by an executor; finished ones are not trained again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mmengine.dist import is_main_process
from rich.console import Console

from cls_kd.engine.dry_run import dry_run
from cls_kd.engine.events import EventConsumer, RunEvent
from cls_kd.engine.extension import is_extended
from cls_kd.engine.progress import ProgressBar
from cls_kd.engine.run_lock import check_free
from cls_kd.engine.train import train
from cls_kd.errors import UserError
from cls_kd.runs import Run, check_unchanged


class Executor(Protocol):
    """Trains runs: here, in other processes, or on other machines.

    Events can be pickled and an executor gets no function of a run, so that it may call
    ``cls_kd.engine.train(run, ...)`` anywhere that sees the folders, and send back its events.
    """

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool,
        launcher: str,
        on_event: EventConsumer,
    ) -> None:
        """Train every run, and return when all are finished.

        Args:
            runs: In order; a run's ``needs`` are earlier ones, or finished.
            resume: See ``train``.
            launcher: See ``train``.
            on_event: Is to be called, in this process, with the events of every run.

        Raises:
            UserError: See ``train``; as any other exception of a run, after its ``RunFailed``.
        """


class InProcessExecutor:
    """Trains one run after the other in this process; the first exception ends it."""

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool,
        launcher: str,
        on_event: EventConsumer,
    ) -> None:
        """See ``Executor.execute``."""
        for run in runs:
            train(run, resume=resume, launcher=launcher, on_event=on_event)


def train_runs(
    runs: Sequence[Run],
    *,
    resume: str | bool = False,
    restart: bool = False,
    launcher: str = "none",
    executor: Executor | None = None,
    on_event: EventConsumer | None = None,
) -> None:
    """Train every run that is not finished; several with a progress bar.

    Args:
        runs: In order; a run may build on earlier ones.
        resume: Whether an interrupted run goes on from its last checkpoint, and a finished one
            whose config now says more epochs (or iterations) is extended.
        restart: Train also what is finished, or was made with another config.
        launcher: See ``train``.
        executor: Trains the runs. Default: ``InProcessExecutor()``.
        on_event: Called with every event of every run (``cls_kd.engine.events``), in the main
            process of a distributed training. Default: none.

    Raises:
        UserError: A run was made with another config, and ``restart`` is not given; another process
            trains a run; or one checkpoint is to be resumed by several runs.
    """
    console = Console(stderr=True, quiet=not is_main_process())
    open_runs = [run for run in runs if restart or _is_open(run, resume)]
    if isinstance(resume, str) and len(open_runs) > 1:
        raise UserError(
            f"--resume {resume}: {len(open_runs)} runs are not finished, and one checkpoint is of "
            "one run. --resume alone lets each go on from its own."
        )
    check_free(open_runs)
    if len(open_runs) < len(runs):
        console.print(
            f"{len(runs) - len(open_runs)} of {len(runs)} runs are finished and unchanged: not run "
            "again (--restart runs them anew)."
        )
    executor = executor or InProcessExecutor()
    consumers = [] if on_event is None else [on_event]
    if len(runs) == 1:
        send = EventConsumers(consumers)
        executor.execute(open_runs, resume=resume, launcher=launcher, on_event=send)
        return
    dry_run(open_runs)
    with ProgressBar(open_runs, console) as bar:
        send = EventConsumers([bar, *consumers])
        executor.execute(open_runs, resume=resume, launcher=launcher, on_event=send)


class EventConsumers:
    """One consumer that stands for several.

    Args:
        consumers: Each gets every event, in this order.
    """

    def __init__(self, consumers: Sequence[EventConsumer]) -> None:
        self._consumers = consumers

    def __call__(self, event: RunEvent) -> None:
        """Pass on an event."""
        for consumer in self._consumers:
            consumer(event)


def _is_open(run: Run, resume: str | bool) -> bool:
    """Test for a run that is still to be trained, or to be trained for longer.

    Raises:
        UserError: See ``train_runs``.
    """
    if not is_extended(run):
        return not check_unchanged(run)
    if not resume:
        raise UserError(
            f"The run {run.title} in {run.work_dir} is finished, and its config is now of a longer "
            "training. --resume extends it from its last checkpoint; --restart trains it anew."
        )
    return True
