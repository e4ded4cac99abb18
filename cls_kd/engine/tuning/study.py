"""The study of a search, in a file that several processes share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from cls_kd.engine.tuning.space import Option
from cls_kd.errors import UserError
from cls_kd.losses.search import Choice, IntegerRange
from cls_kd.packages import require

JOURNAL = "study.journal"
"""Name of the file in the folder of the search."""

REASON = "reason"
"""Attribute of a trial that was not completed: why."""

_NAME = "tune"
_DIGEST = "digest"
_STARTUP_TRIALS = 5


def optuna_package() -> ModuleType:
    """Optuna, without what it reports of each trial.

    Raises:
        UserError: It is not installed.
    """
    require("optuna", by="cls-kd tune", install="'cls_kd[tune]'")
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_study(folder: Path, worker: int = 0, several: bool = False) -> Any:
    """The study in a folder, begun where there is none.

    Its pruner, Wilcoxon's, is for the seeds of a trial; see `cls_kd.engine.tuning.pruning`.

    Args:
        folder: Of the search.
        worker: Number of this process among those that share the study.
        several: Whether there are others: settings that are being tried count as bad ones then,
            so that the same is not tried twice.
    """
    optuna = optuna_package()
    folder.mkdir(parents=True, exist_ok=True)
    journal = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    study = optuna.create_study(
        study_name=_NAME,
        storage=optuna.storages.JournalStorage(journal),
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=2),
    )
    # A continued search must not draw the settings of its first trials again.
    study.sampler = optuna.samplers.TPESampler(
        seed=1000 * len(study.trials) + worker,
        n_startup_trials=_STARTUP_TRIALS,
        constant_liar=several,
    )
    return study


def check_same(study: Any, digest: str, folder: Path) -> None:
    """Refuse a study of another config, method or space.

    Raises:
        UserError: Says what to do instead.
    """
    if study.user_attrs.get(_DIGEST, digest) != digest:
        raise UserError(
            f"The study in {folder} is of another config, method, search space or other seeds. Use "
            "another --work-dir."
        )
    study.set_user_attr(_DIGEST, digest)


def begin(study: Any, default: Mapping[str, Any]) -> None:
    """Put the config's own setting first, and trials that were cut off back into the queue.

    Call it where no process works on the study.
    """
    state = optuna_package().trial.TrialState
    if not study.trials:
        study.enqueue_trial(dict(default))
    for trial in study.get_trials(states=(state.RUNNING,)):
        study.tell(trial.number, state=state.FAIL)
        # Its finished runs are not trained again, and the others go on.
        study.enqueue_trial(trial.params)


def distributions(options: Sequence[Option]) -> dict[str, Any]:
    """The search space as Optuna's distributions."""
    kinds = optuna_package().distributions
    return {option.name: _distribution(option, kinds) for option in options}


def counted(study: Any) -> list[Any]:
    """Trials that are running or have ended, without those that were cut off."""
    state = optuna_package().trial.TrialState
    ended = study.get_trials(states=(state.COMPLETE, state.PRUNED, state.RUNNING))
    failed = study.get_trials(states=(state.FAIL,))
    return sorted(
        [*ended, *(trial for trial in failed if REASON in trial.user_attrs)],
        key=lambda trial: trial.number,
    )


def seconds(trial: Any) -> float:
    """Time that a trial has taken so far."""
    end = trial.datetime_complete or datetime.now()
    return (end - trial.datetime_start).total_seconds()


def _distribution(option: Option, kinds: ModuleType) -> Any:
    space = option.space
    if isinstance(space, Choice):
        return kinds.CategoricalDistribution(space.values)
    if isinstance(space, IntegerRange):
        return kinds.IntDistribution(space.low, space.high, log=space.log)
    return kinds.FloatDistribution(space.low, space.high, log=space.log)
