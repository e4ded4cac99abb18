"""The comparison of methods by successive halving."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cls_kd.engine.choosing.outcome import Candidate, Chosen, Plan
from cls_kd.engine.choosing.partial_run import AttemptUntil, score_at
from cls_kd.engine.choosing.rungs import MAX_SEEDS, Rung, plan_rungs
from cls_kd.engine.cohort_executor import EachAlone
from cls_kd.engine.configs import load_config
from cls_kd.engine.estimate import estimate
from cls_kd.engine.loops import planned_length
from cls_kd.engine.serial_executor import SerialExecutor
from cls_kd.engine.sweep import Failures
from cls_kd.engine.tuning.pruning import first_validation, interval_of
from cls_kd.engine.tuning.tune import train_all
from cls_kd.engine.tuning.tuning import share_needs
from cls_kd.engine.tuning.validation import for_selection, validates_on_test
from cls_kd.engine.worker_executor import WorkerExecutor
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import Run, check_unchanged, known_methods
from cls_kd.runs.config_names import find_config
from cls_kd.runs.sweep import STUDENT, Sweep, plan_sweep

MEASURED_SECONDS = 0.5
"""Length of the measurement of each method."""

PLAN = "plan.json"
"""The rungs of a comparison, so that a continued one keeps them."""

Report = Callable[[str], object]
"""Gets a line about each stage."""

Candidates = Mapping[str, Sequence[Run]]
"""Method to its runs, one a seed."""


@dataclass(frozen=True)
class ChooseRequest:
    """Config, methods and budget of a comparison, as the command line gives them.

    Attributes:
        config: Path or name of a config with a teacher and a student.
        methods: Names of methods, or ``('all',)``.
        work_dir: Folder of the comparison.
        budget: Seconds.
        jobs: Number of worker processes.
        cfg_options: Changes of the config, dotted keys.
    """

    config: str
    methods: tuple[str, ...]
    work_dir: Path
    budget: float
    jobs: int = 1
    cfg_options: Mapping[str, Any] = field(default_factory=dict)


def choose(request: ChooseRequest, report: Report) -> Chosen:
    """Compare methods on validation data until those are left that cannot be told from the best.

    The student alone takes part. What is trained in the folder is not trained again, so that the
    same request goes on.

    Args:
        request: What is to be compared.
        report: Gets a line about each stage.

    Raises:
        UserError: The config cannot be planned, the budget is too small, the teacher fails, or
            fewer than two methods can be trained.
    """
    named = named_runs(request)
    holds_out = validates_on_test(named[STUDENT][0])
    candidates = {name: [_resumable(run) for run in runs] for name, runs in named.items()}
    plan = planned(request, candidates, report)
    left = {name: runs for name, runs in candidates.items() if name in plan.seconds}
    problems, ended = dict(plan.problems), dict[str, Candidate]()
    for number, rung in enumerate(plan.rungs, 1):
        report(
            f"Rung {number} of {len(plan.rungs)}: {len(left)} methods up to {rung.length} of "
            f"{plan.length}, {rung.seeds} {'seed' if rung.seeds == 1 else 'seeds'}."
        )
        problems.update(_train(left, rung, request.jobs))
        scores = {name: _scores(runs, rung) for name, runs in left.items() if name not in problems}
        ended.update({name: Candidate(name, number, scores[name]) for name in scores})
        after = plan.rungs[number].methods if number < len(plan.rungs) else len(scores)
        left = {name: left[name] for name in best_of(scores, after)}
        report("  " + ", ".join(f"{name} {statistics.fmean(scores[name]):.2f}" for name in left))
    if len(left) < 2:
        raise UserError(f"There is nothing to compare: {_listed(problems)}")
    return Chosen(request.config, request.work_dir, plan, list(ended.values()), problems, holds_out)


def named_runs(request: ChooseRequest) -> dict[str, list[Run]]:
    """Method to its runs, one a seed; the student alone is one of them.

    Raises:
        UserError: The config cannot be planned.
    """
    seeds = tuple(range(MAX_SEEDS))
    sweep = Sweep.of(
        dict(
            pairs=[request.config],
            methods=list(request.methods),
            seeds=seeds,
            cfg_options=request.cfg_options,
        )
    )
    (runs,) = plan_sweep(sweep, request.work_dir, load_config).values()
    needed = {needed.work_dir for run in runs for needed in run.depends_on.values()}
    names = set(known_methods(find_config(request.config))) if sweep.takes_all else {*sweep.methods}
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        if run.work_dir not in needed and run.name in {*names, STUDENT}:
            by_name.setdefault(run.name, []).append(run)
    return by_name


def planned(request: ChooseRequest, candidates: Candidates, report: Report) -> Plan:
    """The rungs: those of an earlier start, or new ones after some steps of each method.

    Raises:
        UserError: See `plan_rungs`.
    """
    key = [request.methods, request.budget, request.jobs, candidates[STUDENT][0].digest()]
    file = request.work_dir / PLAN
    if file.is_file():
        known = Plan.of(json.loads(file.read_text(encoding="utf-8")))
        if known.key == json.loads(json.dumps(key)):
            return known
    report(f"Measuring some steps of {len(candidates)} methods.")
    seconds, problems = measured(candidates)
    train_cfg = candidates[STUDENT][0].cfg.train_cfg
    length = planned_length(train_cfg)[1]
    budget = request.budget * request.jobs
    rungs = plan_rungs(list(seconds.values()), length, budget, first_validation(train_cfg))
    plan = Plan(key, rungs, length, seconds, problems)
    request.work_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(asdict(plan), indent=1))
    return plan


def measured(candidates: Candidates) -> tuple[dict[str, float], dict[str, str]]:
    """Expected seconds of a run of each method; of those that cannot be built, the reason."""
    seconds: dict[str, float] = {}
    problems: dict[str, str] = {}
    for name, runs in candidates.items():
        try:
            seconds[name] = estimate(runs[0], MEASURED_SECONDS).total
        except UserError as error:
            problems[name] = str(error)
    return seconds, problems


def best_of(scores: Mapping[str, Sequence[float]], count: int) -> list[str]:
    """The methods with the highest mean scores, best first."""
    means = {name: statistics.fmean(values) for name, values in scores.items()}
    return sorted(means, key=lambda name: -means[name])[:count]


def _resumable(run: Run) -> Run:
    """The run without the test split, with a checkpoint at every point where it may be stopped."""
    changed = for_selection(run)
    interval = interval_of(changed.cfg.train_cfg)
    changed.cfg.merge_from_dict({"default_hooks": {"checkpoint": {"interval": interval}}})
    changed.cfg.console_log_level = "ERROR"
    return changed


def _train(candidates: Candidates, rung: Rung, jobs: int) -> dict[str, str]:
    """Train as far as the rung says. Returns the methods that have failed, with the reason."""
    named = {run.work_dir: name for name, runs in candidates.items() for run in runs}
    runs = [run for same in candidates.values() for run in same[: rung.seeds]]
    train_all(share_needs(runs), jobs)
    unfinished = (run for run in runs if not check_unchanged(run))
    waiting = [run for run in unfinished if score_at(run, rung.length) is None]
    if not waiting:
        return {}
    failures, until = Failures(), AttemptUntil(rung.length)
    alone = EachAlone(until)
    executor = SerialExecutor(alone) if jobs == 1 else WorkerExecutor(jobs, trained_by=alone)
    executor.execute(waiting, on_event=failures)
    return {named[folder]: reason for folder, reason in failures.reasons.items()}


def _scores(runs: Sequence[Run], rung: Rung) -> tuple[float, ...]:
    """The scores of the rung's seeds, all of which are trained so far."""
    scores = [score_at(run, rung.length) for run in runs[: rung.seeds]]
    return tuple(value for value in scores if value is not None)


def _listed(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in problems.items())
