"""A training that is sent a signal saves at the next step, and goes on from there exactly."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from mmengine.config import Config

from cls_kd.distillers import Distiller
from cls_kd.engine import train
from cls_kd.engine.hooks.checkpoint import PREEMPTED
from cls_kd.errors import PreemptedError
from tests.engine import tiny_runs
from tests.engine.test_resume import EPOCHS, config
from tests.engine.tiny_runs import STEPS


def train_with_signals(cfg: Config, work_dir: Path, steps: list[int], number: int) -> None:
    """Train to the end; at each of the given steps a signal comes, and the command is repeated."""
    original = Distiller.train_step
    count = iter(range(10**6))

    def step(*args: object, **options: object) -> object:
        if next(count) in steps:
            os.kill(os.getpid(), number)
        return original(*args, **options)  # type: ignore[arg-type]

    Distiller.train_step = step  # type: ignore[method-assign, assignment]
    for expected in steps:
        with pytest.raises(PreemptedError, match=f"after step {expected + 1}, in epoch"):
            train(tiny_runs.single(cfg, work_dir), resume=True)
        assert (work_dir / "last_checkpoint").read_text().endswith(PREEMPTED)
        assert signal.getsignal(number) in (signal.SIG_DFL, signal.Handlers.SIG_DFL)
    train(tiny_runs.single(cfg, work_dir), resume=True)


@pytest.mark.parametrize(
    ("steps", "workers", "number"),
    [
        ([2, STEPS + 3, 3 * STEPS], 0, signal.SIGTERM),
        ([STEPS - 1, 2 * STEPS + 1], 2, signal.SIGUSR1),
    ],
)
def test_training_goes_on_inside_an_epoch_exactly(
    digits_teacher: Path, tmp_path: Path, steps: list[int], workers: int, number: int
) -> None:
    cfg = config(digits_teacher, train_dataloader__num_workers=workers)
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "whole") == 0
    interrupted = tmp_path / "interrupted"
    assert tiny_runs.in_child(train_with_signals, cfg, interrupted, steps, number) == 0
    states = [tiny_runs.state(tmp_path / name) for name in ("whole", "interrupted")]
    assert tiny_runs.different(*states) == []
    assert not (interrupted / PREEMPTED).exists()
    assert tiny_runs.last(interrupted)["meta"]["epoch"] == EPOCHS
