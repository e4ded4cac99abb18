"""Events in a run's folder."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from cls_kd.engine.event_log import EVENTS, EventFollower, EventLog, last_failure, logged_events
from cls_kd.engine.events import EpochFinished, RunEvent, RunFailed, RunInterrupted, RunStarted
from cls_kd.runs import Run


def test_events_are_appended_and_read_back(tmp_path: Path) -> None:
    run = Run("kd", 3, Config(), tmp_path / "kd")
    EventLog(run)(RunStarted.of(run))
    heard: list[RunEvent] = []
    follower = EventFollower([run], heard.append)
    log = EventLog(run)
    log(EpochFinished.of(run, finished=2))
    follower.poll()
    log(RunFailed.of(run, error="ValueError: no"))
    follower.poll()
    follower.poll()
    assert heard == [
        EpochFinished.of(run, finished=2),
        RunFailed.of(run, error="ValueError: no"),
    ], "what stood there before is not news"
    lines = logged_events(run.work_dir)
    assert [line["event"] for line in lines] == ["RunStarted", "EpochFinished", "RunFailed"]
    assert {"time", "host", "process"} <= set(lines[0])


def test_half_a_line_is_waited_for_and_survived(tmp_path: Path) -> None:
    run = Run("kd", 0, Config(), tmp_path)
    heard: list[RunEvent] = []
    follower = EventFollower([run], heard.append)
    EventLog(run)(EpochFinished.of(run, finished=1))
    whole = (tmp_path / EVENTS).read_text()
    (tmp_path / EVENTS).write_text(whole[:20])
    follower.poll()
    assert heard == []
    (tmp_path / EVENTS).write_text(whole)
    follower.poll()
    assert heard == [EpochFinished.of(run, finished=1)]
    (tmp_path / EVENTS).write_text(whole[:20] + "\n" + whole)
    assert len(logged_events(tmp_path)) == 1
    assert logged_events(tmp_path / "nowhere") == []


def test_a_failure_stays_the_reason_until_the_run_is_started_again(tmp_path: Path) -> None:
    run = Run("kd", 0, Config(), tmp_path)
    log = EventLog(run)
    log(RunStarted.of(run))
    assert last_failure(logged_events(tmp_path)) is None
    log(RunFailed.of(run, error="ValueError: no"))
    log(RunInterrupted.of(run, reason="of another process"))
    assert last_failure(logged_events(tmp_path)) == "ValueError: no"
    log(RunStarted.of(run))
    assert last_failure(logged_events(tmp_path)) is None
