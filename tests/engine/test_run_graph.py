"""Order of runs that build on each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.engine.attempt import Outcome
from cls_kd.engine.events import RunEvent, RunSkipped
from cls_kd.engine.run_graph import RunGraph
from cls_kd.runs import Run


def make(name: str, *needed: Run) -> Run:
    depends_on = {f"run:{other.name}": other for other in needed}
    return Run(name, 0, Config(), Path(name), depends_on)


def settle(graph: RunGraph, run: Run, outcome: Outcome) -> list[RunEvent]:
    events: list[Any] = []
    graph.start(run)
    graph.settle(run, outcome, events.append)
    return events


def test_a_run_is_ready_when_what_it_needs_is_finished() -> None:
    teacher, other = make("teacher"), make("other")
    student = make("student", teacher)
    graph = RunGraph([teacher, student, other])
    assert graph.ready() == [teacher, other]
    settle(graph, teacher, Outcome.FINISHED)
    assert graph.ready() == [student, other]
    settle(graph, student, Outcome.FINISHED)
    settle(graph, other, Outcome.FINISHED)
    assert graph.is_done


def test_a_failed_run_takes_with_it_what_needs_it_and_nothing_else() -> None:
    teacher, other = make("teacher"), make("other")
    student = make("student", teacher)
    grandchild = make("grandchild", student)
    graph = RunGraph([teacher, student, grandchild, other])
    events = settle(graph, teacher, Outcome.FAILED)
    assert [event.name for event in events] == ["student", "grandchild"]
    assert all(isinstance(event, RunSkipped) for event in events)
    assert "teacher (seed 0), which failed" in events[0].reason
    assert graph.ready() == [other]
    assert not graph.is_done


def test_a_held_run_is_ready_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("cls_kd.engine.run_graph.time.monotonic", lambda: clock[0])
    run = make("run")
    graph = RunGraph([run])
    settle(graph, run, Outcome.HELD)
    assert not graph.is_done
    assert graph.ready() == []
    clock[0] = 10.0
    assert graph.ready() == [run]


def test_what_a_finished_run_needs_is_not_waited_for() -> None:
    student = make("student", make("teacher"))
    assert RunGraph([student]).ready() == [student]
