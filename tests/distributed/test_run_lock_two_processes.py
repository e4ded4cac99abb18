"""A run that is being trained is refused in every process of a distributed training."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.engine import Run, train
from cls_kd.engine.run_lock import LOCK, RunLock, is_held
from cls_kd.errors import UserError
from tests.distributed.test_two_processes import in_two
from tests.engine import tiny_runs

pytestmark = pytest.mark.ddp


REFUSAL = "is being trained by another process"


def _be_refused_before_the_build(run: Run) -> None:
    with pytest.raises(UserError, match=REFUSAL):
        train(run, launcher="pytorch")


def _be_refused_after_the_build(run: Run) -> None:
    late, held = RunLock(run), RunLock(run)
    held.acquire()
    with pytest.raises(UserError, match=REFUSAL):
        late.acquire()


def test_every_process_is_refused(tmp_path: Path) -> None:
    run = tiny_runs.single(tiny_runs.config(None, method="label_smoothing"), tmp_path / "run")
    assert in_two(_be_refused_after_the_build, run) == [0, 0]
    held = RunLock(run)
    held.acquire()
    assert in_two(_be_refused_before_the_build, run) == [0, 0]
    assert [file.name for file in run.work_dir.iterdir()] == [LOCK]


def _find_it_free(run: Run) -> None:
    assert not any(is_held(run) for _ in range(200))


def test_processes_that_look_at_the_same_time_find_no_lock(tmp_path: Path) -> None:
    run = tiny_runs.single(tiny_runs.config(None, method="label_smoothing"), tmp_path / "run")
    run.work_dir.mkdir()
    (run.work_dir / LOCK).touch()
    assert in_two(_find_it_free, run) == [0, 0]
