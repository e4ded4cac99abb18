"""Methods that remember what the network said: killed and resumed, to the last bit."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die


def config(method: str, teacher: Path) -> Config:
    return tiny_runs.config(
        teacher,
        method=method,
        epochs=3,
        model__student__backbone__dropout=0.2,
        custom_hooks=[dict(type="EMAHook", momentum=0.1)],
    )


@pytest.mark.parametrize("method", ["ps_kd", "dlb", "cs_kd", "dkpp"])
def test_a_killed_run_ends_as_one_that_was_not(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = config(method, digits_teacher)
    steps = 9 if method == "dlb" else tiny_runs.STEPS
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "whole") == 0
    run = tmp_path / "run"
    code = tiny_runs.in_child(train_and_die, cfg, run, in_step, 2 * steps + 2)
    assert code == -signal.SIGKILL
    assert tiny_runs.last(run)["meta"]["iter"] == 2 * steps
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, run, True) == 0
    whole = tiny_runs.state(tmp_path / "whole")
    assert not tiny_runs.different(whole, tiny_runs.state(run))
    if method == "ps_kd":
        assert whole["/state_dict/losses.ps_kd.bank.known"] == [True] * 100
