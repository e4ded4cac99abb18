"""Events of a training, as values that can be sent between processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import Self

from cls_kd.runs import Run


@dataclass(frozen=True)
class RunEvent:
    """Something happened to a run.

    Attributes:
        name: The run's name; empty for a config that is one run.
        seed: Its seed.
        work_dir: Its folder.
    """

    name: str
    seed: int
    work_dir: Path

    @classmethod
    def of(cls, run: Run, **facts: Any) -> Self:
        """The event of a run.

        Args:
            run: Gives the attributes that all events have.
            facts: The further attributes of this kind of event.
        """
        return cls(run.name, run.seed, run.work_dir, **facts)


@dataclass(frozen=True)
class RunStarted(RunEvent):
    """The data and networks of the run are about to be built."""


@dataclass(frozen=True)
class EpochFinished(RunEvent):
    """An epoch has ended, or a validation interval where training counts iterations.

    Attributes:
        finished: Finished epochs or intervals, those before a resume included.
    """

    finished: int


@dataclass(frozen=True)
class ValidationFinished(RunEvent):
    """The validation data have been measured.

    Attributes:
        finished: Finished epochs, or iterations where training counts them.
        metrics: Metric to value: ``{'accuracy/top1': 93.4}``.
    """

    finished: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class RunFinished(RunEvent):
    """The result of the run has been written.

    Attributes:
        result: What stands in ``result.json``.
    """

    result: dict[str, Any]


@dataclass(frozen=True)
class RunFailed(RunEvent):
    """The run was refused, has diverged, broke off or was interrupted.

    Attributes:
        error: Type and message of the exception, which is raised after this event.
    """

    error: str


@dataclass(frozen=True)
class RunInterrupted(RunEvent):
    """The process that trained the run was asked to end; the run goes on at the next attempt.

    Attributes:
        reason: Type and message of the exception that ended it.
    """

    reason: str


@dataclass(frozen=True)
class RunSkipped(RunEvent):
    """The run was not begun, since one that it builds on has failed.

    Attributes:
        reason: Names the failed run.
    """

    reason: str


class RunStopped(Exception):  # noqa: N818  (it is no error)
    """Raised by a consumer of events, to end the run at this point.

    The run can be continued later from its last checkpoint, as one that was interrupted.
    """


EventConsumer = Callable[[RunEvent], object]
"""Gets every event, in order, in the process that called ``train_runs``."""
