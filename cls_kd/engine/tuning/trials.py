"""Trials of a search: a setting, trained with each seed until it is finished or given up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from cls_kd.engine.attempt import Outcome, attempt
from cls_kd.engine.events import RunEvent, RunFailed, RunStopped, ValidationFinished
from cls_kd.engine.run_graph import POLL_SECONDS
from cls_kd.engine.tuning.pruning import EpochPruner
from cls_kd.engine.tuning.study import (
    REASON,
    counted,
    distributions,
    open_study,
    optuna_package,
    seconds,
)
from cls_kd.engine.tuning.tuning import Request, Tuning
from cls_kd.engine.tuning.validation import last_score, score
from cls_kd.errors import UserError
from cls_kd.runs import Run

_ASK = ".ask.lock"
_DIVERGED = "DivergedError"

Report = Callable[[str], object]
"""Gets a line about each trial that has ended."""


def work(tuning: Tuning, worker: int, report: Report) -> None:
    """Try settings until the trials or the budget are used up.

    Args:
        tuning: What is to be searched; a worker process gets it pickled.
        worker: Number of this process.
        report: Gets a line about each trial.

    Raises:
        UserError: The config's own setting has failed.
    """
    request = tuning.request
    study = open_study(request.work_dir, worker, several=request.jobs > 1)
    spaces = distributions(tuning.options)
    while True:
        # Otherwise two workers would take the last trial.
        with FileLock(Path(request.work_dir, _ASK)):
            if not may_start(request, [seconds(trial) for trial in counted(study)]):
                return
            trial = study.ask(spaces)
        report(_Trial(tuning, study, trial).run())


def may_start(request: Request, spent: list[float]) -> bool:
    """Test whether another trial fits into the number of trials and the budget.

    The test of the default and of the found setting has to fit into the budget too. A run of it is
    taken to last as long as one of the longest trial.

    Args:
        request: Has both limits.
        spent: Seconds of each trial that has begun.
    """
    if not spent:
        return True
    if request.trials is not None and len(spent) >= request.trials:
        return False
    if request.budget is None:
        return True
    each_run = max(spent) / len(request.seeds)
    due = statistics.fmean(spent) + 2 * len(request.test_seeds) * each_run
    return (sum(spent) + due) / request.jobs <= request.budget


class SettingFailedError(Exception):
    """A run of a setting has failed."""


class SettingPrunedError(Exception):
    """A setting was given up."""


class _Trial:
    """One trial.

    Args:
        tuning: Gives the runs.
        study: Holds the trial.
        trial: Optuna's.
    """

    def __init__(self, tuning: Tuning, study: Any, trial: Any) -> None:
        self._tuning = tuning
        self._study = study
        self._trial = trial
        self._is_default = dict(trial.params) == tuning.default
        self._values: list[float] = []

    def run(self) -> str:
        """Train it, tell the study how it ended, and say so in a line.

        Raises:
            UserError: It is the config's own setting, and has failed.
        """
        state = optuna_package().trial.TrialState
        try:
            for seed in self._tuning.request.seeds:
                self._add_seed(seed)
        except SettingPrunedError as reason:
            return self._tell(state.PRUNED, str(reason))
        except SettingFailedError as error:
            if self._is_default:
                self._tell(state.FAIL, str(error))
                raise UserError(f"The config's own setting cannot be trained: {error}") from None
            # A setting that diverges is a poor one, which the search has to learn.
            diverged = str(error).startswith(_DIVERGED)
            return self._tell(state.PRUNED if diverged else state.FAIL, str(error))
        return self._tell(state.COMPLETE, f"validation {statistics.fmean(self._values):.2f}")

    def _add_seed(self, seed: int) -> None:
        run = self._tuning.search_run(self._trial.params, seed)
        is_first = not self._values
        watch = _Watch(self._epoch_pruner(run) if is_first and not self._is_default else None)
        while (outcome := attempt(run, on_event=watch)) is Outcome.HELD:
            time.sleep(POLL_SECONDS)  # another worker trains the same setting
        if outcome is Outcome.STOPPED:
            self._trial.report(watch.value, step=len(self._values))
            raise SettingPrunedError(f"given up after epoch {watch.finished} of seed {seed}")
        if outcome is Outcome.FAILED:
            raise SettingFailedError(watch.error)
        result = run.result()
        assert result is not None
        self._values.append(last_score(result))
        self._trial.report(self._values[-1], step=len(self._values) - 1)
        remaining = len(self._values) < len(self._tuning.request.seeds)
        if remaining and not self._is_default and self._trial.should_prune():
            raise SettingPrunedError(f"given up after {len(self._values)} seeds")

    def _epoch_pruner(self, run: Run) -> EpochPruner:
        return EpochPruner(self._study, self._trial.number, run.cfg.train_cfg)

    def _tell(self, state: Any, reason: str) -> str:
        complete = state.name == "COMPLETE"
        if not complete:
            self._trial.set_user_attr(REASON, reason)
        value = statistics.fmean(self._values) if complete else None
        self._study.tell(self._trial, value, state=state)
        settings = ", ".join(f"{name}={shown(v)}" for name, v in self._trial.params.items())
        default = " (default)" if self._is_default else ""
        return f"trial {self._trial.number}: {settings}{default}: {reason}"


class _Watch:
    """Follows the run of a seed, and stops it where it is poor.

    Args:
        pruner: Decides after each validation; None never to stop.
    """

    def __init__(self, pruner: EpochPruner | None) -> None:
        self._pruner = pruner
        self.finished = 0
        self.value = float("nan")
        self.error = ""

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, RunFailed):
            self.error = event.error
        elif isinstance(event, ValidationFinished):
            self.finished, self.value = event.finished, score(event.metrics)
            if self._pruner is not None and self._pruner.is_poor(self.finished, self.value):
                raise RunStopped(f"poor after {self.finished}")


def shown(value: Any) -> str:
    """A setting's value for people: four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
