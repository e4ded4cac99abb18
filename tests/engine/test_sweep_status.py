"""Where a search or a comparison stands, from the folders of its runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from cls_kd.engine.event_log import EventLog
from cls_kd.engine.events import EpochFinished, RunFailed, RunInterrupted, RunStarted
from cls_kd.engine.sweep_status import sweep_status
from cls_kd.errors import UserError
from cls_kd.runs import Run, mark_finished, mark_started


def begin(folder: Path, name: str) -> tuple[Run, EventLog]:
    run = Run(name, 0, Config(dict(train_cfg=dict(max_epochs=9))), folder / name / "seed_0")
    mark_started(run, resume=False)
    log = EventLog(run)
    log(RunStarted.of(run))
    log(EpochFinished.of(run, finished=3))
    return run, log


def test_runs_of_a_search(tmp_path: Path) -> None:
    finished, _ = begin(tmp_path / "search", "default")
    mark_finished(finished, {})
    poor, log = begin(tmp_path / "search", "poor")
    log(RunInterrupted.of(poor, reason="RunStopped: poor after 3"))
    diverged, log = begin(tmp_path / "search", "diverged")
    log(RunFailed.of(diverged, error="DivergedError: ce"))
    begin(tmp_path, "teacher")
    rows = {
        status.title: (status.state, status.finished, status.reason)
        for status in sweep_status(tmp_path)
    }
    assert rows == {
        "search/default/seed_0": ("finished", 9, ""),
        "search/diverged/seed_0": ("failed", 3, "DivergedError: ce"),
        "search/poor/seed_0": ("stopped", 3, "poor after 3"),
        "teacher/seed_0": ("waiting", 3, "interrupted"),
    }


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of cls-kd sweep, tune or choose"):
        sweep_status(tmp_path)
