"""Optimizers that keep gradients apart train through the runner, alone and in two processes."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from cls_kd.engine import train
from cls_kd.engine.compat import amp_wrapper
from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.engine.train import build_optimizer
from cls_kd.errors import UserError
from cls_kd.optimizers import DOT
from tests.distillers import tiny
from tests.distributed.test_two_processes import PLAIN, ends, in_two, train_and_keep
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die
from tests.engine.tiny_runs import ROOT, STEPS

LOSSES: dict[str, Any] = {"ce": dict(type="TaskLoss"), "kd": dict(type="KDLoss")}


def config(teacher: Path, epochs: int = 2, amp: bool = False, **options: Any) -> Config:
    path = ROOT / "configs" / "digits" / "dot.py"
    return tiny_runs.config(teacher, path=path, method=None, epochs=epochs, amp=amp, **options)


def wrapper(model: Any, **options: Any) -> Any:
    given = dict(type=SeparateGradientsOptimWrapper, optimizer=dict(type="DOT", lr=0.1))
    return build_optimizer(model, {**given, **options})


def test_a_killed_run_ends_as_one_that_was_not(digits_teacher: Path, tmp_path: Path) -> None:
    cfg = config(digits_teacher)
    result = train(tiny_runs.single(cfg, tmp_path / "whole"))
    assert all(entry["loss"] > 0 for entry in result["train"])
    died = tiny_runs.in_child(train_and_die, cfg, tmp_path / "run", in_step, STEPS + 2)
    assert died == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "run", True) == 0
    whole, run = tiny_runs.state(tmp_path / "whole"), tiny_runs.state(tmp_path / "run")
    assert any("distillation_momentum" in key for key in whole)
    assert not tiny_runs.different(whole, run)


@pytest.mark.ddp
def test_two_processes_step_as_one(digits_teacher: Path, tmp_path: Path) -> None:
    whole, halves = (config(digits_teacher, epochs=1, model__student=PLAIN) for _ in range(2))
    for cfg, size in ((whole, 8), (halves, 4)):
        cfg.train_dataloader.dataset.labelled = 40
        cfg.train_dataloader.dataset.pipeline = cfg.train_dataloader.dataset.pipeline[1:]
        cfg.train_dataloader.sampler.shuffle, cfg.train_dataloader.batch_size = False, size
    assert tiny_runs.in_child(train_and_keep, whole, tmp_path / "one") == 0
    halves.launcher = "pytorch"
    assert in_two(train_and_keep, halves, tmp_path / "two") == [0, 0]
    (one,), (first, second) = ends(tmp_path / "one"), ends(tmp_path / "two")
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-6), key


def test_accumulated_steps_are_those_of_the_whole_batch() -> None:
    inputs, samples = tiny.batch()
    ends_with = []
    for count in (1, 2):
        model = tiny.distiller(LOSSES, student=tiny.plain(), teacher=tiny.teacher())
        optimizer = wrapper(model, accumulative_counts=count)
        optimizer.initialize_count_status(model, 0, 2)
        size = len(inputs) // count
        for place in range(count):
            part = slice(place * size, (place + 1) * size)
            with optimizer.optim_context(model):
                terms = model(inputs[part], samples[part], mode="loss")
            optimizer.update_params(model.total(terms))
        ends_with.append(model.state_dict())
    torch.testing.assert_close(*ends_with)


def test_mixed_precision_stays_with_the_wrapper() -> None:
    given = amp_wrapper(dict(type="SeparateGradientsOptimWrapper", optimizer=dict(type="DOT")))
    assert given["type"] == "SeparateGradientsOptimWrapper"
    model = tiny.distiller(LOSSES, teacher=tiny.teacher())
    inputs, samples = tiny.batch()
    optimizer = wrapper(model, dtype=given["dtype"])
    seen = set()
    hook = model.student.head.fc.register_forward_hook(lambda *args: seen.add(args[-1].dtype))
    with optimizer.optim_context(model):
        terms = model(inputs, samples, mode="loss")
    optimizer.update_params(model.total(terms))
    hook.remove()
    assert seen == {torch.bfloat16}


def test_what_does_not_fit_is_refused_in_words() -> None:
    model = tiny.distiller(LOSSES, teacher=tiny.teacher())
    with pytest.raises(UserError, match=r"DOT keeps gradients apart and cannot clip them"):
        wrapper(model, clip_grad=dict(max_norm=1.0))
    with pytest.raises(UserError, match="SGD needs the type 'OptimWrapper'"):
        wrapper(model, optimizer=dict(type="SGD", lr=0.1))
    with pytest.raises(UserError, match="dtype must be 'bfloat16' or None, not 'float16'"):
        wrapper(model, dtype="float16")
    inputs, samples = tiny.batch()
    optimizer = build_optimizer(model, dict(type=OptimWrapper, optimizer=dict(type=DOT, lr=0.1)))
    with pytest.raises(UserError, match="SeparateGradientsOptimWrapper"):
        optimizer.update_params(model.total(model(inputs, samples, mode="loss")))
