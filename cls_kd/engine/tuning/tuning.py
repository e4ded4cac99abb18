"""The runs of a search: a method's settings, each with several seeds, in folders of their own."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cls_kd.engine.configs import load_config
from cls_kd.engine.tuning.space import Option, as_changes, options_of
from cls_kd.engine.tuning.validation import for_selection, has_test, without_test
from cls_kd.reporting.statistics import MIN_PAIRS
from cls_kd.runs import Run
from cls_kd.runs.config_names import find_config
from cls_kd.runs.sweep import Sweep, method_runs

DEFAULT = "default"
"""Name of the config's own setting."""

_SEARCH, _TEST = "search", "test"


@dataclass(frozen=True)
class Request:
    """Config, method and limits of a search, as the command line gives them.

    Attributes:
        config: Path or name of a config with a teacher and a student.
        method: Name of a method.
        work_dir: Folder of the search.
        seeds: Of every trial.
        trials: Maximum number of trials; None for any.
        budget: Seconds that search and test may take; None for any.
        jobs: Number of worker processes.
        cfg_options: Changes of the config, dotted keys.
    """

    config: str
    method: str
    work_dir: Path
    seeds: tuple[int, ...]
    trials: int | None = None
    budget: float | None = None
    jobs: int = 1
    cfg_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def test_seeds(self) -> tuple[int, ...]:
        """Seeds that no trial has: as many as those of a trial, and three or more.

        Ours. The seeds of the search have taken part in the choice, so that the chosen setting
        would look better with them than it is.
        """
        first = max(self.seeds) + 1
        return tuple(range(first, first + max(MIN_PAIRS, len(self.seeds))))


class Tuning:
    """The settings of a method, and the runs that compare them.

    Args:
        request: What is to be searched.

    Raises:
        UserError: The config cannot be planned, or there is nothing to search.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        seeds = (*request.seeds, *request.test_seeds)
        sweep = Sweep((request.config,), {}, seeds, request.cfg_options)
        config = find_config(request.config)
        cfg = load_config(config, method=request.method, options=dict(request.cfg_options))
        runs = method_runs(cfg, request.method, sweep, request.work_dir, load_config)
        self._runs = {run.seed: run for run in runs[-len(seeds) :]}
        self.needed = share_needs(list(self._runs.values()))
        self.options: list[Option] = options_of(runs[-1].cfg.model.losses.to_dict())

    @property
    def default(self) -> dict[str, Any]:
        """The config's own setting, by name."""
        return {option.name: option.default for option in self.options}

    @property
    def has_test(self) -> bool:
        """True if there is a test split."""
        return has_test(next(iter(self._runs.values())))

    @property
    def digest(self) -> str:
        """Of everything that a trial's value depends on, but its setting."""
        run = self.search_run(self.default, self.request.seeds[0])
        facts = [run.digest(), self.request.seeds, [(o.name, str(o.space)) for o in self.options]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def name(self, setting: Mapping[str, Any]) -> str:
        """Folder of a setting: ``default``, or letters that follow from its values."""
        if dict(setting) == self.default:
            return DEFAULT
        return hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()[:10]

    def search_run(self, setting: Mapping[str, Any], seed: int) -> Run:
        """A run that validates a setting and never looks at the test split."""
        return self._placed(for_selection(self._with(setting, seed)), setting, _SEARCH)

    def test_run(self, setting: Mapping[str, Any], seed: int) -> Run:
        """A run of a setting as the config says: all training images, and the test split."""
        return self._placed(self._with(setting, seed), setting, _TEST)

    def _with(self, setting: Mapping[str, Any], seed: int) -> Run:
        run = copy.copy(self._runs[seed])
        run.cfg = copy.deepcopy(run.cfg)
        run.cfg.merge_from_dict(as_changes(self.options, setting))
        run.cfg.console_log_level = "ERROR"
        return run

    def _placed(self, run: Run, setting: Mapping[str, Any], stage: str) -> Run:
        run.name = self.name(setting)
        run.work_dir = self.request.work_dir / stage / run.name / f"seed_{run.seed}"
        return run


def share_needs(runs: Sequence[Run]) -> list[Run]:
    """Runs that others build on, in order and without the test split; others refer to them."""
    shared: dict[Path, Run] = {}

    def replaced(run: Run) -> Run:
        if run.work_dir not in shared:
            changed = without_test(run)
            changed.cfg.console_log_level = "ERROR"
            changed.depends_on = {key: replaced(need) for key, need in run.depends_on.items()}
            shared[run.work_dir] = changed
        return shared[run.work_dir]

    for run in runs:
        run.depends_on = {key: replaced(need) for key, need in run.depends_on.items()}
    return list(shared.values())
