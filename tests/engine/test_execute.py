"""Executors and events: where runs are trained, and what is told of them."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cls_kd.engine import Run, plan, train, train_runs
from cls_kd.engine.events import (
    EpochFinished,
    EventConsumer,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    ValidationFinished,
)
from cls_kd.engine.progress import ProgressBar
from cls_kd.errors import UserError
from tests.engine import tiny_runs


class ForkExecutor:
    """Trains each run in a process of its own, which sends its events through a pipe."""

    def execute(
        self, runs: Sequence[Run], *, resume: str | bool, launcher: str, on_event: EventConsumer
    ) -> None:
        context = multiprocessing.get_context("fork")
        for run in runs:
            receiver, sender = context.Pipe(duplex=False)
            assert tiny_runs.in_child(_train_and_send, run, resume, sender) == 0
            sender.close()
            while receiver.poll():
                try:
                    on_event(receiver.recv())
                except EOFError:
                    break


def _train_and_send(run: Run, resume: bool, sender: Any) -> None:
    train(run, resume=resume, on_event=sender.send)


def test_an_executor_may_train_elsewhere_and_send_events_back(tmp_path: Path) -> None:
    cfg = tiny_runs.config(None, method="label_smoothing", epochs=1)
    cfg.runs = [{"name": "alone", "seeds": [0]}]
    runs = plan(cfg, tmp_path)
    events: list[RunEvent] = []
    train_runs(runs, executor=ForkExecutor(), on_event=events.append)
    place = ("alone", 0, tmp_path / "alone" / "seed_0")
    assert runs[0].result() is not None
    assert events[:2] == [RunStarted(*place), EpochFinished(*place, finished=1)]
    validation, last = events[2:]
    assert isinstance(validation, ValidationFinished)
    assert validation.finished == 1
    assert validation.metrics == {"accuracy/top1": runs[0].result()["val"][0]["accuracy/top1"]}
    assert isinstance(last, RunFinished)
    assert last.result["epochs"] == 1

    train_runs(runs, executor=ForkExecutor(), on_event=events.append)
    assert len(events) == 4  # finished and unchanged


def test_a_refused_run_is_told_before_the_error(tmp_path: Path) -> None:
    cfg = tiny_runs.config(None, method="kd")  # without the teacher that KD asks for
    events: list[RunEvent] = []
    with pytest.raises(UserError, match="teacher"):
        train_runs([tiny_runs.single(cfg, tmp_path)], on_event=events.append)
    started, failed = events
    assert isinstance(started, RunStarted)
    assert isinstance(failed, RunFailed)
    assert failed.error.startswith("UserError: ")
    assert "teacher" in failed.error
    assert pickle.loads(pickle.dumps(failed)) == failed


def test_the_progress_bar_follows_the_events(tmp_path: Path) -> None:
    cfg = tiny_runs.config(None, method="label_smoothing", epochs=5)
    cfg.runs = [{"name": "first"}, {"name": "second", "train_cfg": {"max_epochs": 7}}]
    first, second = plan(cfg, tmp_path)
    with ProgressBar([first, second], Console(quiet=True)) as bar:
        bar(RunStarted.of(first))
        assert bar.completed == 0
        bar(EpochFinished.of(first, finished=4))  # as after a resume
        assert bar.completed == 4
        bar(RunFinished.of(first, result={}))  # stopped early
        bar(RunStarted.of(second))
        assert bar.completed == 5
        bar(EpochFinished.of(second, finished=2))
        assert bar.completed == 7
