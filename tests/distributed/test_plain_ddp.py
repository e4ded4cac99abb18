"""`cls_kd.Distiller` under PyTorch's DistributedDataParallel, without MMEngine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import cls_kd
from tests.core.test_distiller import SHAPE, batch, network
from tests.distributed.test_two_processes import in_two

pytestmark = pytest.mark.ddp

LOSSES = {
    "ce": dict(type="TaskLoss"),
    "kd": dict(type="KDLoss", weight=0.5),
    "at": dict(type="ATLoss", stages=(0, 1), weight=10.0),
}


def train(folder: Path) -> None:
    """Two steps; weights and terms of this process in a file of its own."""
    rank, size = 0, 1
    if distributed.is_initialized():
        rank, size = distributed.get_rank(), distributed.get_world_size()
    distiller = cls_kd.Distiller(network(1), LOSSES, network(2), input_shape=SHAPE)
    model = DistributedDataParallel(distiller) if size > 1 else distiller
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels = (part.chunk(size)[rank] for part in batch())
    for _ in range(2):
        loss = cls_kd.Distiller.total(model(images, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(distiller.state_dict(), folder / f"{rank}-of-{size}.pth")


def test_two_processes_step_as_one(tmp_path: Path) -> None:
    train(tmp_path)
    assert in_two(train, tmp_path) == [0, 0]
    alone = torch.load(tmp_path / "0-of-1.pth")
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}-of-2.pth"), alone)
