"""Runs with a second classifier: killed and resumed, in half precision, and exported without it."""

from __future__ import annotations

import math
import signal
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from cls_kd.engine import train
from cls_kd.engine.compat import amp_wrapper
from cls_kd.engine.export import export, read_student
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die
from tests.engine.tiny_runs import STEPS

HEAD = "losses.ipwd.head.classifier.weight"
each_method = pytest.mark.parametrize("method", ["ipwd", "ipwd_ps_kd"])


def config(teacher: Path, method: str, epochs: int) -> Config:
    cfg = tiny_runs.config(
        teacher if method == "ipwd" else None,
        method=method,
        epochs=epochs,
        model__student__backbone__dropout=0.2,
        data_preprocessor__batch_augments=dict(augments=[dict(type="Mixup", alpha=0.8)]),
    )
    cfg.model.losses.ipwd.update(start=0.5, normalize=True)
    return cfg


@each_method
def test_a_killed_run_ends_as_one_that_was_not(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    """Killed before and after the weights begin to count, which is after two of four epochs."""
    cfg, whole, place = config(digits_teacher, method, 4), tmp_path / "whole", tmp_path / "run"
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, whole) == 0
    for steps in (STEPS + 2, STEPS + 3):
        assert tiny_runs.in_child(train_and_die, cfg, place, in_step, steps) == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place, True) == 0
    one, other = tiny_runs.state(whole), tiny_runs.state(place)
    assert not tiny_runs.different(one, other)
    assert any(key.startswith(f"/state_dict/{HEAD}") for key in one)
    if method == "ipwd_ps_kd":
        assert all(tiny_runs.last(place)["state_dict"]["losses.ipwd.bank.known"])


@each_method
def test_half_precision(method: str, digits_teacher: Path, tmp_path: Path) -> None:
    """On a CPU: bfloat16 autocast around networks, float32 in the loss and its classifier."""
    cfg = config(digits_teacher, method, 2)
    cfg.optim_wrapper = amp_wrapper(dict(cfg.optim_wrapper))
    train(tiny_runs.single(cfg, tmp_path))
    losses = tiny_runs.result(tmp_path)["train"]
    assert all(math.isfinite(value) for entry in losses for value in entry.values())
    assert tiny_runs.last(tmp_path)["state_dict"][HEAD].dtype == torch.float32


@each_method
def test_the_second_classifier_is_not_deployed(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    run = tiny_runs.single(config(digits_teacher, method, 1), tmp_path / "run")
    train(run)
    trained = tiny_runs.last(run.work_dir)["state_dict"]
    assert HEAD in trained

    student = read_student(run.cfg, run.checkpoint())
    export(student, tmp_path / "exported", ["safetensors"])
    exported = load_file(tmp_path / "exported" / "student.safetensors")
    of_student = {k.removeprefix("student."): v for k, v in trained.items() if "student." in k}
    assert exported.keys() == of_student.keys()
    assert not any("ipwd" in key or "head.classifier" in key for key in exported)
    assert all(torch.equal(value, of_student[key]) for key, value in exported.items())
