"""Two processes do not train one run at the same time."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from cls_kd.engine import Run, train, train_runs
from cls_kd.engine.run_lock import LOCK, RunLock
from cls_kd.errors import UserError
from cls_kd.runs import mark_finished, mark_started
from tests.engine import tiny_runs


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return tiny_runs.single(tiny_runs.config(None, method="label_smoothing"), tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_a_run_in_training_is_refused_by_its_folder_and_its_owner(run: Run) -> None:
    held = RunLock(run)
    assert not run.work_dir.exists()
    held.acquire()
    mark_started(run, resume=False)
    before = contents(run.work_dir)
    for command in (lambda: train(run), lambda: train_runs([run], restart=True)):
        with pytest.raises(UserError, match="is being trained by another process") as refusal:
            command()
        message = str(refusal.value)
        for part in (str(run.work_dir), socket.gethostname(), f"process {os.getpid()}"):
            assert part in message
    assert contents(run.work_dir) == before
    held.release()
    RunLock(run).acquire()


def test_of_two_that_begin_together_one_trains(run: Run) -> None:
    first, second = RunLock(run), RunLock(run)
    first.acquire()
    with pytest.raises(UserError, match="is being trained"):
        second.acquire()
    first.release()
    second.acquire()


def test_what_another_process_trained_meanwhile_is_not_trained_over(run: Run) -> None:
    late = RunLock(run)
    other = RunLock(run)
    other.acquire()
    mark_started(run, resume=False)
    mark_finished(run, {})
    other.release()
    with pytest.raises(UserError, match="was trained by another process while this one"):
        late.acquire()
    RunLock(run).acquire()  # and nobody holds the lock now


def _hold_and_die(run: Run) -> None:
    RunLock(run).acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lock_of_a_dead_process_holds_nobody_up(run: Run) -> None:
    assert tiny_runs.in_child(_hold_and_die, run) == -signal.SIGKILL
    assert (run.work_dir / LOCK).read_text()
    RunLock(run).acquire()


def _train_and_be_refused(run: Run) -> None:
    with pytest.raises(UserError, match="is being trained"):
        train(run)


def test_another_process_is_refused(run: Run) -> None:
    held = RunLock(run)
    held.acquire()
    before = contents(run.work_dir)
    assert tiny_runs.in_child(_train_and_be_refused, run) == 0
    assert contents(run.work_dir) == before


def test_a_refused_run_leaves_no_lock_and_can_be_trained(run: Run) -> None:
    run.cfg.model.losses["kd"] = {"type": "KDLoss"}  # asks for a teacher
    with pytest.raises(UserError, match="teacher"):
        train(run)
    assert not run.work_dir.exists()
