"""Which trials of a search are given up early.

Two rules, each where it fits. The first seed of a trial is stopped within its training by Hyperband
(Li et al. 2018, JMLR 18, 185), whose resource is the length of the training. A trial whose first
seed is finished goes on to its further seeds until Wilcoxon's signed-rank test says that it is
worse than the best one, paired by seed. That p is sequential, so that its level of 0.1 is no
statement about the result; and with fewer than four seeds no p is below 0.1.

Hyperband looks at the validations within a run, Wilcoxon's test at one value a seed. Both would be
the intermediate values of one trial, so Hyperband is shown a copy of the trial that has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cls_kd.engine.loops import counts_iterations, planned_length
from cls_kd.engine.tuning.study import optuna_package

REDUCTION = 3
"""One of so many trials goes on from a rung; the usual value."""

_RUNGS = 2
"""Number of rungs below the whole training: the first is at a ninth of it. Ours."""


class EpochPruner:
    """Hyperband over the validations of one run.

    Args:
        study: Of the trial.
        number: Of the trial.
        train_cfg: Of the run: its length and the interval of validations.
    """

    def __init__(self, study: Any, number: int, train_cfg: Mapping[str, Any]) -> None:
        self._study = study
        self._number = number
        self._values: dict[int, float] = {}
        self._length = planned_length(train_cfg)[1]
        self._pruner = optuna_package().pruners.HyperbandPruner(
            min_resource=first_rung(self._length, interval_of(train_cfg)),
            max_resource=self._length,
            reduction_factor=REDUCTION,
        )

    def is_poor(self, finished: int, value: float) -> bool:
        """Test whether the run should be stopped.

        Args:
            finished: Finished epochs (or iterations).
            value: Score of the validation at this point.
        """
        if finished >= self._length:
            return False  # there is nothing to save any more
        self._values[finished] = value
        trial = self._study.get_trials()[self._number]
        trial.intermediate_values = dict(self._values)
        return self._pruner.prune(self._study, trial)


def interval_of(train_cfg: Mapping[str, Any]) -> int:
    """Epochs (or iterations) between validations."""
    return int(train_cfg.get("val_interval", 1000 if counts_iterations(train_cfg) else 1))


def first_rung(length: int, interval: int) -> int:
    """Epochs (or iterations) before the first decision.

    Args:
        length: Of the whole training.
        interval: Between validations.
    """
    return min(length, max(interval, length // REDUCTION**_RUNGS))
