"""One attempt at a run of a sweep, here or in a process of its own."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from cls_kd.engine.event_log import EventLog
from cls_kd.engine.events import EventConsumer, RunEvent, RunFailed, RunInterrupted, RunStopped
from cls_kd.engine.run_lock import RunHeldError, agreed, is_held
from cls_kd.engine.surroundings import Surroundings
from cls_kd.engine.train import train
from cls_kd.errors import PreemptedError, is_of_lost_process
from cls_kd.runs import Run, check_unchanged

_INTERRUPTIONS = (
    "KeyboardInterrupt",
    "SystemExit",
    PreemptedError.__name__,
    RunStopped.__name__,
)


class Outcome(Enum):
    """End of an attempt."""

    FINISHED = "finished"
    FAILED = "failed"
    HELD = "held"
    STOPPED = "stopped"


class Attempt(Protocol):
    """One attempt at a run: `attempt`, or with a rule of its own about where the run ends."""

    def __call__(
        self, run: Run, *, launcher: str = "none", on_event: EventConsumer | None = None
    ) -> Outcome:
        """See `attempt`."""


def attempt(
    run: Run,
    *,
    launcher: str = "none",
    on_event: EventConsumer | None = None,
    surroundings: Surroundings | None = None,
) -> Outcome:
    """Train a run that another process may have finished, or be training, by now.

    It goes on from the run's last checkpoint, if there is one. Its events are also written to its
    folder. An interruption is raised; every other exception is an event. A consumer may end the
    run by raising ``RunStopped``. Where another process of a distributed training has ended, the
    run was interrupted: it is that process which may have failed.

    Args:
        run: What to train.
        launcher: See ``cls_kd.engine.train.train``.
        on_event: Called with the events of the run. Default: none.
        surroundings: See ``cls_kd.engine.train.train``.
    """
    log = EventLog(run)

    def send(event: RunEvent) -> None:
        log(event)
        if on_event is not None:
            on_event(event)

    events = _AttemptEvents(send)
    try:
        if is_held(run):
            return Outcome.HELD
        if not agreed(check_unchanged(run)):
            train(
                run,
                resume=True,
                launcher=launcher,
                on_event=events,
                surroundings=surroundings,
            )
    except RunHeldError:
        return Outcome.HELD
    except RunStopped:
        return Outcome.STOPPED
    except PreemptedError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if is_of_lost_process(reason):
            return Outcome.STOPPED
        if not events.failed:  # refused before training reported anything
            send(RunFailed.of(run, error=reason))
        return Outcome.FAILED
    return Outcome.FINISHED


class _AttemptEvents:
    """Passes on the events of a training, in which not every end is a failure.

    Args:
        on_event: Gets the events.
    """

    def __init__(self, on_event: EventConsumer) -> None:
        self._on_event = on_event
        self.failed = False

    def __call__(self, event: RunEvent) -> None:
        if not isinstance(event, RunFailed):
            self._on_event(event)
        elif event.error.startswith(_INTERRUPTIONS) or is_of_lost_process(event.error):
            reason = event.error
            self._on_event(RunInterrupted(event.name, event.seed, event.work_dir, reason))
        elif not event.error.startswith(RunHeldError.__name__):
            self.failed = True
            self._on_event(event)
