"""A training that diverges or is interrupted: one message, and what was saved before is good."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.engine.hooks.checkpoint import check_finite
from cls_kd.errors import DivergedError
from tests.tools.conftest import Spoil
from tests.tools.driver import Child, call, fork

BREAKING = """
import torch
from torch import Tensor

from cls_kd.losses import DistillLoss
from cls_kd.registry import MODELS


@MODELS.register_module(force=True)
class BreakingLoss(DistillLoss):
    \"\"\"Turns NaN at its 30th step, in the second epoch.\"\"\"

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, student_logits: Tensor) -> Tensor:
        self.calls += 1
        return student_logits.mean() * (float("nan") if self.calls == 30 else 1.0)
"""


def test_a_loss_that_turns_nan_is_named_and_the_last_checkpoint_is_good(
    config: Spoil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user_losses_that_break.py").write_text(BREAKING)
    monkeypatch.syspath_prepend(tmp_path)
    path = config(
        "custom_imports = dict(imports=['user_losses_that_break'])",
        "model['losses']['mine'] = dict(type='BreakingLoss')",
        "train_cfg['max_epochs'] = 3",
    )
    work_dir = tmp_path / "work"
    outcome = call("train.py", path, "--work-dir", work_dir)
    outcome.refused("'mine.loss' became nan", "step 30", "epoch 2")
    assert not (work_dir / "result.json").exists()
    assert [file.name for file in work_dir.glob("*.pth")] == ["epoch_1.pth"]
    call("test.py", path, work_dir / "epoch_1.pth").succeeded()


def test_a_learning_rate_that_is_far_too_high_is_one_message(config: Spoil, tmp_path: Path) -> None:
    options = ("--cfg-options", "optim_wrapper.optimizer.lr=1e30")
    outcome = call("train.py", config(), "--work-dir", tmp_path / "work", *options)
    outcome.refused("became", "A lower learning rate")
    assert not list((tmp_path / "work").glob("*.pth"))
    assert not (tmp_path / "work" / "result.json").exists()


def test_weights_that_the_last_step_broke_are_not_saved() -> None:
    """Its loss was still finite: only the weights tell."""
    network = torch.nn.Linear(2, 1)
    runner = type("Runner", (), {"model": network, "iter": 22, "epoch": 0})
    check_finite(runner)
    with torch.no_grad():
        network.weight[0, 1] = float("inf")
    with pytest.raises(DivergedError, match="'weight' is no longer finite at step 23"):
        check_finite(runner)


def test_ctrl_c_is_one_message_and_resume_goes_on(config: Spoil, tmp_path: Path) -> None:
    path = config("train_cfg['max_epochs'] = 2000", "default_hooks['logger']['interval'] = 1")
    work_dir = tmp_path / "work"
    child = fork("tools/train.py", path, "--work-dir", work_dir)
    assert child.process.pid is not None
    try:
        _wait_for(work_dir / "last_checkpoint", child)
        os.kill(child.process.pid, signal.SIGINT)
        outcome = child.outcome(timeout=60)
    finally:
        child.process.kill()
    assert outcome.code == 1
    assert outcome.err.strip() == "Interrupted. --resume goes on from the last checkpoint."
    assert not (work_dir / "result.json").exists()
    done = read_checkpoint(work_dir / Path((work_dir / "last_checkpoint").read_text()).name)
    epochs = done["meta"]["epoch"] + 1
    more = config(f"train_cfg['max_epochs'] = {epochs}", "default_hooks['logger']['interval'] = 1")
    last = work_dir / f"epoch_{epochs - 1}.pth"
    call("train.py", more, "--work-dir", tmp_path / "more", "--resume", last).succeeded()
    result = json.loads((tmp_path / "more" / "result.json").read_text())
    assert [entry["epoch"] for entry in result["train"]] == list(range(1, epochs + 1))


def _wait_for(file: Path, child: Child) -> None:
    end = time.monotonic() + 120
    while not file.exists():
        assert child.process.is_alive(), child.outcome().err
        assert time.monotonic() < end
        time.sleep(0.05)
