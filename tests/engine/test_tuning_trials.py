"""Trials whose runs are made up: how each end is told to the study, and what the page says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cls_kd.engine.attempt import Outcome
from cls_kd.engine.events import RunFailed, RunStopped, ValidationFinished
from cls_kd.engine.tuning.outcome import Trial, Tuned
from cls_kd.engine.tuning.study import begin, counted, open_study
from cls_kd.engine.tuning.trials import work
from cls_kd.engine.tuning.tuning import Request, Tuning
from cls_kd.errors import UserError
from cls_kd.runs import Run

Attempt = Callable[..., Outcome]


def finish(run: Run, score: float) -> Outcome:
    run.work_dir.mkdir(parents=True, exist_ok=True)
    result = {"val": [{"epoch": 20, "accuracy/top1": score}], "test": None}
    (run.work_dir / "result.json").write_text(json.dumps(result))
    return Outcome.FINISHED


def by_weight(run: Run, *, on_event: Callable[[Any], object]) -> Outcome:
    """Weights above 5 diverge, those of 4 are refused, 3 is poor within its training."""
    weight = run.cfg.model.losses.kd.weight
    if weight >= 4:
        error = "DivergedError: nan" if weight > 5 else "UserError: no"
        on_event(RunFailed.of(run, error=error))
        return Outcome.FAILED
    try:
        for epoch in range(1, 20):
            metrics = {"accuracy/top1": 10.0 if weight == 3 else 90.0}
            on_event(ValidationFinished.of(run, finished=epoch, metrics=metrics))
    except RunStopped:
        return Outcome.STOPPED
    return finish(run, 90.0 + run.seed - weight)


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    return Tuning(Request("digits/pair", "kd", tmp_path, seeds=(0, 1), trials=9))


def test_each_end_of_a_trial_is_told_to_the_study(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cls_kd.engine.tuning.trials.attempt", by_weight)
    study = open_study(tuning.request.work_dir)
    begin(study, tuning.default)
    for weight in (1.0, 6.0, 4.0, *[3.0] * 5):
        study.enqueue_trial({"kd.temperature": 4.0, "kd.weight": weight})
    lines: list[str] = []
    work(tuning, 0, lines.append)
    states = [trial.state.name for trial in counted(study)]
    assert states[:4] == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL"]
    assert len(states) == len(lines) == 9
    assert lines[0] == ("trial 0: kd.temperature=4, kd.weight=0.9 (default): validation 89.60")
    assert lines[2].endswith("DivergedError: nan")
    assert any("given up after epoch" in line for line in lines[4:])
    assert counted(study)[1].intermediate_values == {0: 89.0, 1: 90.0}


def test_a_default_that_fails_ends_the_search(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: Run, *, on_event: Callable[[Any], object]) -> Outcome:
        on_event(RunFailed.of(run, error="UserError: no such data"))
        return Outcome.FAILED

    monkeypatch.setattr("cls_kd.engine.tuning.trials.attempt", refuse)
    begin(open_study(tuning.request.work_dir), tuning.default)
    with pytest.raises(UserError, match="own setting cannot be trained: UserError: no such data"):
        work(tuning, 0, print)


def test_settings_have_folders_of_their_own(tuning: Tuning) -> None:
    other = {**tuning.default, "kd.weight": 1.0}
    runs = [tuning.search_run(setting, 0) for setting in (tuning.default, other)]
    assert len({run.work_dir for run in runs}) == len({run.digest() for run in runs}) == 2
    assert runs[0].work_dir == tuning.request.work_dir / "search" / "default" / "seed_0"
    tested = tuning.test_run(tuning.default, 2)
    assert tested.cfg.test_dataloader is not None
    assert tested.depends_on["run:teacher"] is tuning.needed[0]
    assert tuning.needed[0].cfg.test_dataloader is None


@pytest.fixture
def tuned(tuning: Tuning) -> Tuned:
    setting = {"kd.temperature": 4.0, "kd.weight": 0.9}
    default = Trial(0, setting, True, "complete", 80.0, [79.0, 81.0], 9.0, "")
    best = Trial(1, {**setting, "kd.weight": 2.0}, False, "complete", 85.0, [84.0, 86.0], 9.0, "")
    tests = {"default": {2: 80.0, 3: 81.0, 4: 82.0}, "best": {2: 81.0, 3: 82.5, 4: 82.5}}
    spaces = dict.fromkeys(setting, "1 to 20")
    return Tuned(
        tuning.request, spaces, [default, best], default, best, tests, True, False, 5.0, 60.0
    )


def test_the_page_says_on_which_images_the_settings_were_compared(tuned: Tuned) -> None:
    page = tuned.markdown()
    assert "gains +5.00 percentage points" in page
    assert "+1.00 (-0.24 to +2.24, inside noise) on the test split with 3 new seeds" in page
    assert "validates on its test split" not in page
    held_out = replace(tuned, holds_out=True).markdown()
    assert "The config validates on its test split." in held_out
    without_test = replace(tuned, has_test=False).markdown()
    assert "on the validation split with 3 new seeds" in without_test
    assert "The config has no test split" in without_test


def test_a_default_that_is_best_is_not_compared_with_itself(tuned: Tuned) -> None:
    same = replace(tuned, best=tuned.default, tests={})
    assert same.test_gain is None
    assert "No setting has a higher validation score" in same.markdown()
