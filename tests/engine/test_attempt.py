"""Ends of an attempt at a run: which are failures, and which are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from cls_kd.engine import attempt as attempts
from cls_kd.engine.attempt import Outcome, attempt
from cls_kd.engine.event_log import last_failure, logged_events
from cls_kd.engine.events import RunFailed, RunStarted
from cls_kd.engine.slurm_executor import TrainJob
from cls_kd.errors import UserError
from cls_kd.runs import Run

GLOO = RuntimeError(
    "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:545] Connection closed by peer"
)
NCCL = torch.distributed.DistBackendError("NCCL error: remote process exited")
OTHER = RuntimeError("size mismatch")


def raise_in_training(error: Exception, monkeypatch: pytest.MonkeyPatch, main: bool) -> None:
    def train(run: Run, *, on_event: Any, **options: Any) -> None:
        if main:
            on_event(RunStarted.of(run))
            on_event(RunFailed.of(run, error=f"{type(error).__name__}: {error}"))
        raise error

    monkeypatch.setattr(attempts, "train", train)


@pytest.mark.parametrize("main", [True, False], ids=["main", "other"])
@pytest.mark.parametrize("error", [GLOO, NCCL], ids=["gloo", "nccl"])
def test_a_run_that_loses_a_process_was_interrupted(
    error: Exception, main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_training(error, monkeypatch, main)
    run = Run("kd", 0, Config(), tmp_path)
    assert attempt(run) is Outcome.STOPPED
    events = [event["event"] for event in logged_events(tmp_path)]
    assert events == (["RunStarted", "RunInterrupted"] if main else [])
    with pytest.raises(UserError, match="not been finished"):
        TrainJob([run], "none")()


@pytest.mark.parametrize("main", [True, False], ids=["main", "other"])
def test_another_error_is_a_failure_of_any_process(
    main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_training(OTHER, monkeypatch, main)
    assert attempt(Run("kd", 0, Config(), tmp_path)) is Outcome.FAILED
    assert last_failure(logged_events(tmp_path)) == "RuntimeError: size mismatch"
