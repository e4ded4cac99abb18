"""The whole search: what runs build on, the trials, and the test of what was found."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any

from filelock import FileLock, Timeout

from cls_kd.engine.serial_executor import SerialExecutor
from cls_kd.engine.sweep import Failures
from cls_kd.engine.tuning.outcome import Trial, Tuned
from cls_kd.engine.tuning.study import (
    REASON,
    begin,
    check_same,
    counted,
    open_study,
    optuna_package,
    seconds,
)
from cls_kd.engine.tuning.trials import Report, work
from cls_kd.engine.tuning.tuning import Request, Tuning
from cls_kd.engine.tuning.validation import last_score, score, validates_on_test
from cls_kd.engine.worker_executor import WorkerExecutor, prepare_worker, threads_each
from cls_kd.errors import UserError
from cls_kd.runs import Run, check_unchanged

_LOCK = ".tune.lock"


def tune(request: Request, report: Report) -> Tuned:
    """Search the settings of a method on validation data; test the default and the best one.

    What is finished in the folder is not trained again, so that the same request goes on.

    Args:
        request: What is to be searched.
        report: Gets a line about each trial and each stage.

    Raises:
        UserError: Optuna is not installed, the config cannot be planned, a run of the config's own
            setting or a test run fails, or another process works in the folder.
    """
    optuna_package()
    tuning = Tuning(request)
    tuning.search_run(tuning.default, request.seeds[0])  # refused before anything is written
    request.work_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(request.work_dir / _LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"Another process searches in {request.work_dir}. --jobs N lets one command use "
            "several processes."
        ) from None
    try:
        study = open_study(request.work_dir)
        check_same(study, tuning.digest, request.work_dir)
        begin(study, tuning.default)
        train_all(tuning.needed, request.jobs)
        _search(tuning, report)
        return _tested(tuning, counted(study), report)
    finally:
        lock.release()


def train_all(runs: Sequence[Run], jobs: int) -> None:
    """Train what is not finished of some runs.

    Raises:
        UserError: One has failed: which, and why.
    """
    waiting = [run for run in runs if not check_unchanged(run)]
    failures = Failures()
    executor = SerialExecutor() if jobs == 1 else WorkerExecutor(jobs)
    if waiting:
        executor.execute(waiting, on_event=failures)
    for run in waiting:
        if run.work_dir in failures.reasons:
            reason = failures.reasons[run.work_dir]
            raise UserError(f"The run {run.title} in {run.work_dir} has failed: {reason}")


def _search(tuning: Tuning, report: Report) -> None:
    """Try settings in this process, or in several."""
    jobs = tuning.request.jobs
    if jobs == 1:
        work(tuning, 0, report)
        return
    context = multiprocessing.get_context("spawn")
    threads = threads_each(jobs)
    with ExitStack() as stack:
        # One pool a worker: in a pool of several, one killed worker takes the others with it.
        pools = [
            stack.enter_context(ProcessPoolExecutor(1, context, prepare_worker, (number, threads)))
            for number in range(jobs)
        ]
        futures = [pool.submit(work, tuning, number, _print) for number, pool in enumerate(pools)]
        for future in futures:
            try:
                future.result()
            except BrokenProcessPool:
                report("A worker process was killed. Its trial is tried again by the same command.")


def _print(line: str) -> None:
    print(line, flush=True)


def _tested(tuning: Tuning, ended: Sequence[Any], report: Report) -> Tuned:
    """Test the default and the best setting, where they differ."""
    trials = [_record(trial, tuning.default) for trial in ended]
    complete = [trial for trial in trials if trial.value is not None]
    default = next((trial for trial in complete if trial.is_default), None)
    if default is None:
        raise UserError(
            "The trial of the config's own setting was cut off: start the command again."
        )
    best = max(complete, key=lambda trial: trial.value or 0.0)
    request = tuning.request
    tests: dict[str, dict[int, float]] = {}
    runs: list[Run] = []
    if best.value != default.value:
        seeds = ", ".join(map(str, request.test_seeds))
        report(f"Training the default and the best setting with new seeds ({seeds}) for the test.")
        for name, setting in (("default", tuning.default), ("best", best.setting)):
            each = [tuning.test_run(setting, seed) for seed in request.test_seeds]
            train_all(each, request.jobs)
            tests[name] = {run.seed: _test_score(run) for run in each}
            runs += each
    return Tuned(
        request=request,
        spaces={option.name: str(option.space) for option in tuning.options},
        trials=trials,
        default=default,
        best=best if tests else default,
        tests=tests,
        has_test=tuning.has_test,
        holds_out=validates_on_test(tuning.test_run(tuning.default, request.seeds[0])),
        needed_seconds=_wall_seconds(tuning.needed),
        test_seconds=_wall_seconds(runs),
    )


def _record(trial: Any, default: Mapping[str, Any]) -> Trial:
    values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    return Trial(
        number=trial.number,
        setting=dict(trial.params),
        is_default=dict(trial.params) == dict(default),
        state=trial.state.name.lower(),
        value=trial.value if trial.state.name == "COMPLETE" else None,
        values=values,
        seconds=seconds(trial),
        reason=trial.user_attrs.get(REASON, ""),
    )


def _test_score(run: Run) -> float:
    """Score on the test split, or of the last validation where there is none."""
    result = run.result()
    assert result is not None
    return score(result["test"]) if result.get("test") else last_score(result)


def _wall_seconds(runs: Sequence[Run]) -> float:
    results = (run.result() for run in runs)
    return sum(float(result["wall_seconds"]) for result in results if result is not None)
