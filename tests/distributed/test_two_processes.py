"""Two processes over gloo train as one with the same global batch, to the same weights."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel

from cls_kd.distillers import Distiller
from cls_kd.engine import build_runner, train
from cls_kd.engine.compat import init_distributed
from cls_kd.engine.hooks.teacher import unwrapped
from tests.engine import tiny_runs
from tests.engine.tiny_runs import STEPS

pytestmark = pytest.mark.ddp

PLAIN = {
    "_delete_": True,
    "type": "mmpretrain.models.ImageClassifier",
    "backbone": {"type": "tests.distillers.tiny.Plain", "channels": 6},
    "neck": {"type": "mmpretrain.models.GlobalAveragePooling"},
    "head": {"type": "mmpretrain.models.LinearClsHead", "num_classes": 10, "in_channels": 6},
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def in_two(function: Callable[..., None], *args: Any) -> list[int]:
    """Call in two forked processes of one group. Their exit codes."""
    port = free_port()
    fork = get_context("fork")
    processes = [
        fork.Process(target=tiny_runs._called, args=(_joined, (rank, port, function, args)))
        for rank in range(2)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(timeout=120)
    for one in processes:
        if one.is_alive():
            one.kill()
    return [one.exitcode for one in processes]


def _joined(rank: int, port: int, function: Callable[..., None], args: tuple[Any, ...]) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    init_distributed("pytorch")
    function(*args)


def train_and_keep(cfg: Config, work_dir: Path) -> None:
    """What each process ends with, in a file of its own."""
    cfg.work_dir = str(work_dir)
    runner = build_runner(cfg)
    if runner.distributed:
        assert isinstance(runner.model, MMDistributedDataParallel)
        assert runner.model.find_unused_parameters is False
    runner.train()
    torch.save(unwrapped(runner).state_dict(), work_dir / f"rank_{runner.rank}.pth")


def ends(work_dir: Path) -> list[dict[str, torch.Tensor]]:
    return [torch.load(file) for file in sorted(work_dir.glob("rank_*.pth"))]


def exact(teacher: Path, method: str, images: int) -> Config:
    """Nothing in it depends on how a global batch is divided: no batch norm, no randomness."""
    cfg = tiny_runs.config(teacher, method=method, epochs=1, model__student=PLAIN)
    dataset, loader = cfg.train_dataloader.dataset, cfg.train_dataloader
    dataset.labelled, dataset.pipeline = images, dataset.pipeline[1:]
    loader.sampler.shuffle, loader.batch_size = False, 8
    cfg.optim_wrapper.optimizer = dict(type="torch.optim.SGD", lr=0.05)
    if method == "crd":
        cfg.model.losses.crd.update(negatives=16, dim=8)
    return cfg


@pytest.mark.parametrize("images", [10, 40])
@pytest.mark.parametrize("method", ["kd", "dkd", "crd"])
def test_two_processes_step_as_one(
    method: str, images: int, digits_teacher: Path, tmp_path: Path
) -> None:
    """One step of 8 and a rest, or five steps: of 8, or of 4 in each of two processes."""
    whole, halves = (exact(digits_teacher, method, images) for _ in range(2))
    if images == 10:
        whole.train_dataloader.drop_last = halves.train_dataloader.drop_last = True
    halves.train_dataloader.batch_size = 4
    assert tiny_runs.in_child(train_and_keep, whole, tmp_path / "one") == 0
    halves.launcher = "pytorch"
    assert in_two(train_and_keep, halves, tmp_path / "two") == [0, 0]

    (one,), (first, second) = ends(tmp_path / "one"), ends(tmp_path / "two")
    assert one.keys() == first.keys() == second.keys()
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-6), key
    if method == "crd":
        assert "losses.crd.bank.student" in one


def with_batch_norm(teacher: Path) -> Config:
    cfg = tiny_runs.config(
        teacher,
        method="srrl",
        epochs=3,
        launcher="pytorch",
        model__student__backbone__dropout=0.2,
        data_preprocessor__batch_augments=dict(augments=[dict(type="Mixup", alpha=0.8)]),
    )
    cfg.train_dataloader.batch_size = 10
    return cfg


def test_processes_end_with_the_same_weights(digits_teacher: Path, tmp_path: Path) -> None:
    """Also with batch norm, dropout and mixup, in which the processes differ."""
    assert in_two(train_and_keep, with_batch_norm(digits_teacher), tmp_path / "two") == [0, 0]
    first, second = ends(tmp_path / "two")
    # Validation comes last, and before it the statistics were made the same.
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def train_and_die(cfg: Config, work_dir: Path, step: int) -> None:
    original, steps = Distiller.loss, iter(range(step))

    def dying(*args: Any, **options: Any) -> Any:
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    Distiller.loss = dying
    train(tiny_runs.single(cfg, work_dir), resume=True, launcher="pytorch")


def train_on(cfg: Config, work_dir: Path) -> None:
    train(tiny_runs.single(cfg, work_dir), resume=True, launcher="pytorch")


def test_two_killed_processes_end_as_two_that_were_not(
    digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = with_batch_norm(digits_teacher)
    assert in_two(train_on, cfg, tmp_path / "whole") == [0, 0]
    assert in_two(train_and_die, cfg, tmp_path / "run", STEPS + 2) == [-signal.SIGKILL] * 2
    assert in_two(train_on, cfg, tmp_path / "run") == [0, 0]
    whole, run = tiny_runs.state(tmp_path / "whole"), tiny_runs.state(tmp_path / "run")
    assert not tiny_runs.different(whole, run)


def test_the_group_is_there_before_the_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a GPU: a sampler that asks too early gives every process all of the data."""
    calls = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(
        "cls_kd.engine.compat.init_dist", lambda launcher, **options: calls.append(launcher)
    )
    init_distributed("none")
    assert calls == []
    init_distributed("pytorch")
    assert calls == ["pytorch"]
