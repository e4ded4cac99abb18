"""Which runs can go on for longer than they were planned; docs/recipes.md's is trained there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from cls_kd.core import Term
from cls_kd.engine import train_runs
from cls_kd.engine.extension import check_extension, is_extended
from cls_kd.engine.schedule import play, restart_schedule
from cls_kd.errors import UserError
from cls_kd.losses import IPWDLoss, KDLoss
from cls_kd.modules import LinearWarmup
from cls_kd.runs import Run, mark_finished, mark_started
from tests.engine import tiny_runs

LENGTH, STEPS = 20, 5
SCHEDULES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "none": ([], ""),
    "steps": ([dict(type="MultiStepLR", milestones=[10, 25])], ""),
    "a step at the end": ([dict(type="MultiStepLR", milestones=[20])], ""),
    "decay": ([dict(type="ExponentialLR", gamma=0.9)], ""),
    "warm-up": (
        [
            dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=15),
            dict(type="StepLR", step_size=8),
        ],
        "",
    ),
    "cosine": ([dict(type="CosineAnnealingLR")], "the learning rate depends on the length"),
    "polynomial": ([dict(type="PolyLR")], "the learning rate depends on the length"),
    "old cosine": (
        [dict(type="CosineAnnealingLR", T_max=LENGTH)],
        r"has come down to 0\.\d+ and would rise again to 0\.",
    ),
    "ended cosine": ([dict(type="LinearLR", end_factor=0.0, end=LENGTH)], "would stay at 0"),
    "plateau": (
        [dict(type="ReduceOnPlateauLR", monitor="accuracy/top1", rule="greater")],
        "follows validation metrics",
    ),
}


def optimizer() -> OptimWrapper:
    return OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1))


def config(schedule: list[dict[str, Any]], length: int = 30) -> Config:
    return Config(dict(param_scheduler=schedule, train_cfg=dict(by_epoch=True, max_epochs=length)))


def checkpoint(epoch: int = LENGTH) -> dict[str, Any]:
    hub = {"runtime_info": {"max_epochs": LENGTH, "max_iters": LENGTH * STEPS}}
    return {"meta": {"epoch": epoch, "iter": epoch * STEPS}, "message_hub": hub}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_depends_on_the_length_is_refused(name: str) -> None:
    schedule, reason = SCHEDULES[name]
    cfg = config(schedule)
    if not reason:
        check_extension(cfg, optimizer(), {"kd": Term(KDLoss())}, checkpoint(), STEPS)
        return
    with pytest.raises(UserError, match=rf"max_epochs was 20 when .* is 30 now, .*{reason}"):
        check_extension(cfg, optimizer(), {"kd": Term(KDLoss())}, checkpoint(), STEPS)
    check_extension(config(schedule, LENGTH), optimizer(), {}, checkpoint(), STEPS)


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        (Term(IPWDLoss()), "the loss 'x' asks for 'progress'"),
        (Term(KDLoss(), LinearWarmup(until=0.1)), "weight of the loss 'x' follows LinearWarmup"),
    ],
)
def test_a_loss_that_depends_on_the_length_is_refused(term: Term, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check_extension(config([]), optimizer(), {"x": term}, checkpoint(), STEPS)


@pytest.mark.parametrize("name", ["steps", "warm-up", "cosine"])
def test_a_restarted_schedule_gives_the_same_rates(name: str) -> None:
    cfg, wrapper = config(SCHEDULES[name][0]), optimizer()
    options: dict[str, int] = {"length": 30, "epoch_length": STEPS}
    whole = play(
        restart_schedule(cfg, wrapper, **options), wrapper, iterations=150, epoch_length=STEPS
    )
    assert wrapper.param_groups[0]["initial_lr"] == 0.1
    again = restart_schedule(cfg, wrapper, **options)
    first = play(again, wrapper, iterations=60, epoch_length=STEPS)
    assert first == whole[:60]
    assert wrapper.param_groups[0]["lr"] == whole[60]


def run_of(place: Path, **options: Any) -> Run:
    return tiny_runs.single(tiny_runs.config(None, method=None, **options), place)


def test_only_a_finished_run_with_a_greater_length_is_extended(tmp_path: Path) -> None:
    run = run_of(tmp_path, epochs=2)
    assert not is_extended(run)
    mark_started(run, resume=False)
    options = {"train_cfg__max_epochs": 3}
    assert not is_extended(run_of(tmp_path, epochs=2, **options)), "not finished"
    mark_finished(run, {})
    assert not is_extended(run)
    assert is_extended(run_of(tmp_path, epochs=2, **options))
    assert not is_extended(run_of(tmp_path, epochs=2, train_cfg__max_epochs=1))
    assert not is_extended(run_of(tmp_path, epochs=2, randomness__seed=1, **options))
    with pytest.raises(UserError, match=r"--resume extends it .* --restart trains it anew"):
        train_runs([run_of(tmp_path, epochs=2, **options)])
    assert json.loads((tmp_path / "result.json").read_text())["digest"] == run.digest()
