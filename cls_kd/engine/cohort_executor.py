"""Executor and attempts that train runs together where these can share their batches."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from mmengine.dist import barrier, is_main_process
from rich.console import Console

from cls_kd.engine.attempt import Attempt, Outcome, attempt
from cls_kd.engine.cohort import Cohort, Member
from cls_kd.engine.events import EventConsumer
from cls_kd.engine.resume import saved_step
from cls_kd.engine.surroundings import Surroundings
from cls_kd.engine.train import train
from cls_kd.runs import Run
from cls_kd.runs.cohorts import MAX_MEMBERS, Grouping, describe, group

TrainOne = Callable[[Run, Surroundings | None], Any]
"""Trains a run in surroundings; None: alone."""


@dataclass(frozen=True)
class Ending:
    """End of a run's training.

    Attributes:
        run: The run.
        value: What the training has returned.
        error: What it has raised, or None.
    """

    run: Run
    value: Any = None
    error: BaseException | None = None


def train_together(runs: Sequence[Run], train_one: TrainOne) -> list[Ending]:
    """Train runs that share their batches, side by side; one run alone.

    A run whose own draws decide about its batches is trained alone after the others.

    Args:
        runs: A group of `cls_kd.runs.cohorts.group`.
        train_one: Trains one run.

    Raises:
        KeyboardInterrupt: Or any other interruption of the process.
    """
    if len(runs) == 1:
        return [_alone(runs[0], train_one)]
    begun = [saved_step(run) for run in runs]
    members = Cohort().train([partial(_in, run, train_one) for run in runs])
    endings = []
    for run, member, step in zip(runs, members, begun, strict=True):
        if member.conflict:
            if saved_step(run) == step:
                _remove_log(member.log_dir)
            Console(stderr=True, quiet=not is_main_process()).print(
                f"{run.title} is trained alone: {member.conflict}.",
                highlight=False,
                soft_wrap=True,
            )
            endings.append(_alone(run, train_one))
        else:
            endings.append(Ending(run, member.value, member.error))
    return endings


class GroupAttempt(Protocol):
    """One attempt at each run of a group: `attempt_together`, or `EachAlone`."""

    def __call__(
        self, runs: Sequence[Run], *, launcher: str = "none", on_event: EventConsumer | None = None
    ) -> list[Outcome]:
        """See `attempt_together`."""


class EachAlone:
    """Attempts the runs of a group one after the other.

    Args:
        trained_by: Attempts one run; can be pickled.
    """

    def __init__(self, trained_by: Attempt) -> None:
        self._attempt = trained_by

    def __call__(
        self, runs: Sequence[Run], *, launcher: str = "none", on_event: EventConsumer | None = None
    ) -> list[Outcome]:
        """See `attempt_together`."""
        return [self._attempt(run, launcher=launcher, on_event=on_event) for run in runs]


def attempt_together(
    runs: Sequence[Run], *, launcher: str = "none", on_event: EventConsumer | None = None
) -> list[Outcome]:
    """One attempt at each of a group of runs (see `attempt`), side by side."""

    def train_one(run: Run, surroundings: Surroundings | None) -> Outcome:
        return attempt(run, launcher=launcher, on_event=on_event, surroundings=surroundings)

    endings = train_together(runs, train_one)
    for ending in endings:
        if ending.error is not None:
            raise ending.error
    return [ending.value for ending in endings]


class CohortExecutor:
    """Trains runs in this process, those that can share their batches side by side.

    See ``cls_kd.engine.execute.Executor``. A run that fails leaves the others of its cohort
    untouched; then its exception ends the execution.

    Args:
        max_members: Maximum number of runs that are trained together.
        console: Shows which runs are trained together, which not, and why.
    """

    def __init__(self, max_members: int = MAX_MEMBERS, console: Console | None = None) -> None:
        self._max_members = max_members
        self._console = console or Console(stderr=True)

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool,
        launcher: str,
        on_event: EventConsumer,
    ) -> None:
        """See ``Executor.execute``."""

        def train_one(run: Run, surroundings: Surroundings | None) -> Any:
            return train(
                run,
                resume=resume,
                launcher=launcher,
                on_event=on_event,
                surroundings=surroundings,
            )

        grouping = group_to_train(runs, bool(resume), self._max_members)
        if is_main_process():
            show(grouping, self._console)
        for members in grouping.groups:
            if len(members) > 1:
                quieten(members)
            for ending in train_together(members, train_one):
                if ending.error is not None:
                    raise ending.error


def group_to_train(runs: Sequence[Run], resume: bool, max_members: int) -> Grouping:
    """Groups of runs (see `cls_kd.runs.cohorts.group`), with what is in their folders.

    Args:
        runs: In order.
        resume: Whether runs go on from their last checkpoints.
        max_members: Maximum number of runs in a group.
    """
    return group(runs, resume=resume, max_members=max_members, step_of=saved_step)


def show(grouping: Grouping, console: Console) -> None:
    """Print which runs are trained together, which not, and why."""
    for line in describe(grouping):
        console.print(line, highlight=False, soft_wrap=True)


def quieten(runs: Sequence[Run]) -> None:
    """Keep the logs of runs that are trained side by side out of the terminal."""
    for run in runs:
        run.cfg.setdefault("console_log_level", "ERROR")


def _in(run: Run, train_one: TrainOne, member: Member) -> Any:
    return train_one(run, member)


def _alone(run: Run, train_one: TrainOne) -> Ending:
    try:
        return Ending(run, train_one(run, None))
    except Exception as error:
        return Ending(run, error=error)


def _remove_log(log_dir: Path | None) -> None:
    """Remove the log of a training that came to nothing."""
    if log_dir is not None and is_main_process():
        shutil.rmtree(log_dir, ignore_errors=True)
        log_dir.with_suffix(".py").unlink(missing_ok=True)  # MMEngine's copy of the config
    barrier()
