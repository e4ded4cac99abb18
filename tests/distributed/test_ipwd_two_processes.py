"""IPWD in two processes: weights over the global batch, and one bank of past predictions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from cls_kd.modules import IPWDWeight
from tests.distributed.test_two_processes import ends, exact, in_two, train_and_keep
from tests.engine import tiny_runs

pytestmark = pytest.mark.ddp


def logits(seed: int) -> torch.Tensor:
    return 3 * torch.randn(8, 10, generator=torch.Generator().manual_seed(seed))


def weigh_half(work_dir: Path) -> None:
    rank = dist.get_rank()
    half = slice(4 * rank, 4 * rank + 4)
    weigh = IPWDWeight(normalize=True)
    weights = weigh(logits(0)[half], logits(1)[half], torch.arange(8)[half])
    torch.save(weights, work_dir / f"rank_{rank}.pth")


def test_weights_have_mean_one_over_all_processes(tmp_path: Path) -> None:
    assert in_two(weigh_half, tmp_path) == [0, 0]
    halves = ends(tmp_path)
    whole = IPWDWeight(normalize=True)(logits(0), logits(1), torch.arange(8))
    torch.testing.assert_close(torch.cat(halves), whole)
    assert abs(halves[0].mean() - 1) > 0.05, "else the mean of each process would do as well"


def config(teacher: Path, method: str) -> Config:
    """Two epochs of five steps; in the second one there are past predictions."""
    cfg = exact(teacher if method == "ipwd" else None, method, 40)
    cfg.train_cfg.max_epochs = 2
    cfg.model.losses.ipwd.update(normalize=True, start=0.2)
    return cfg


@pytest.mark.parametrize("method", ["ipwd", "ipwd_ps_kd"])
def test_two_processes_step_as_one(method: str, digits_teacher: Path, tmp_path: Path) -> None:
    """Steps of 8, or of 4 in each of two processes."""
    whole, halves = (config(digits_teacher, method) for _ in range(2))
    assert tiny_runs.in_child(train_and_keep, whole, tmp_path / "one") == 0
    halves.train_dataloader.batch_size, halves.launcher = 4, "pytorch"
    assert in_two(train_and_keep, halves, tmp_path / "two") == [0, 0]

    (one,), (first, second) = ends(tmp_path / "one"), ends(tmp_path / "two")
    assert one.keys() == first.keys() == second.keys()
    assert "losses.ipwd.head.classifier.weight" in one
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-6), key
    if method == "ipwd_ps_kd":
        assert one["losses.ipwd.bank.known"].all()
