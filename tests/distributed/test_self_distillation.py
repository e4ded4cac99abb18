"""What a network said of its samples, in two processes as in one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.distributed.test_two_processes import ends, exact, in_two, train_and_keep
from tests.engine import tiny_runs
from tests.losses.test_self_losses import ps_kd, signals_of

pytestmark = pytest.mark.ddp


def test_ps_kd_in_two_processes_is_ps_kd_in_one(digits_teacher: Path, tmp_path: Path) -> None:
    """Three epochs, so that predictions of the past take part."""
    whole, halves = (exact(digits_teacher, "ps_kd", 40) for _ in range(2))
    whole.train_cfg.max_epochs = halves.train_cfg.max_epochs = 3
    halves.train_dataloader.batch_size = 4
    halves.launcher = "pytorch"
    assert tiny_runs.in_child(train_and_keep, whole, tmp_path / "one") == 0
    assert in_two(train_and_keep, halves, tmp_path / "two") == [0, 0]
    (one,), (first, second) = ends(tmp_path / "one"), ends(tmp_path / "two")
    assert one["losses.ps_kd.bank.known"].all()
    assert one.keys() == first.keys() == second.keys()
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize("method", ["dlb", "cs_kd"])
def test_processes_end_with_the_same_weights(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = tiny_runs.config(digits_teacher, method=method, epochs=2, launcher="pytorch")
    cfg.train_dataloader.batch_size = 10
    assert in_two(train_planned, cfg, tmp_path / "two") == [0, 0]
    first, second = (torch.load(tmp_path / f"rank_{rank}.pth") for rank in (0, 1))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def train_planned(cfg: tiny_runs.Config, work_dir: Path) -> None:
    """As a run of a list, which brings the method's data; into the folder above, by rank."""
    train_and_keep(tiny_runs.single(cfg, work_dir).resolved(), work_dir)
    (file,) = work_dir.glob(f"rank_{torch.distributed.get_rank()}.pth")
    file.rename(work_dir.parent / file.name)


BATCHES = ([0, 3, 5, 6], [3, 1, 3, 7], [3, 0, 7, 1])
"""Half for each process; sample 3 comes on both in the second."""


def take_steps(folder: Path) -> None:
    rank, loss, values = torch.distributed.get_rank(), ps_kd(), []
    for step, index in enumerate(BATCHES):
        signals = signals_of(step, index, epoch=step)
        half = slice(rank * 2, rank * 2 + 2)
        own = {k: v[half] if isinstance(v, torch.Tensor) else v for k, v in signals.items()}
        values.append(loss(**own))
    torch.save(dict(values=values, state=loss.state_dict()), folder / f"rank_{rank}.pth")


def test_of_a_sample_on_both_processes_the_last_counts(tmp_path: Path) -> None:
    assert in_two(take_steps, tmp_path) == [0, 0]
    first, second = ends(tmp_path)
    loss = ps_kd()
    for step, index in enumerate(BATCHES):
        value = loss(**signals_of(step, index, epoch=step))
        torch.testing.assert_close((first["values"][step] + second["values"][step]) / 2, value)
    for name, value in loss.state_dict().items():
        assert torch.equal(first["state"][name], value), name
        assert torch.equal(second["state"][name], value), name
