"""Branches on two processes: equal weights, and those of one process, with no parameter unused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from tests.distributed.test_two_processes import ends, in_two, train_and_keep
from tests.engine import tiny_runs

pytestmark = pytest.mark.ddp


class Chain(nn.Module):
    """Two stages and nothing beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Tanh())
        self.second = nn.Sequential(nn.Conv2d(6, 6, 3, stride=2, padding=1), nn.Tanh())

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.second(self.first(images)),)


# No batch statistics: nothing in it depends on how a global batch is divided.
PLAIN = {
    "type": "cls_kd.models.MultiBranchClassifier",
    "backbone": {"type": "tests.distributed.test_branches_two_processes.Chain"},
    "neck": {"type": "mmpretrain.models.GlobalAveragePooling"},
    "head": {"type": "mmpretrain.models.LinearClsHead", "num_classes": 10, "in_channels": 6},
    "cut_after": "first",
    "num_branches": 3,
}
METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cl_ilr": (
        {"kd": {"type": "cls_kd.losses.EnsembleDistillationLoss"}},
        {"fusion": {"type": "cls_kd.models.MeanFusion"}, "branch_gradient_scale": 1 / 3},
    ),
    "okddip": (
        {"kd": {"type": "cls_kd.losses.EnsembleDistillationLoss", "detach": False}},
        {"fusion": {"type": "cls_kd.models.AttentionFusion"}, "deploy": -1},
    ),
    "dml_cd": (
        {
            "dml": {"type": "cls_kd.losses.DMLLoss"},
            "cd": {"type": "cls_kd.losses.ClassifierDiversityLoss", "weight": 0.01},
        },
        {"fusion": {"type": "cls_kd.models.MeanFusion"}, "cut_after": None},
    ),
}


def exact(teacher: Path, method: str) -> Config:
    losses, student = METHODS[method]
    ce = {"ce": {"type": "cls_kd.losses.PeerTaskLoss"}}
    cfg = tiny_runs.config(None, epochs=1)
    cfg.merge_from_dict(
        {
            "model.student": {"_delete_": True, **PLAIN, **student},
            "model.losses": {"_delete_": True, **ce, **losses},
        }
    )
    dataset, loader = cfg.train_dataloader.dataset, cfg.train_dataloader
    dataset.labelled, dataset.pipeline = 40, dataset.pipeline[1:]
    loader.sampler.shuffle, loader.batch_size = False, 8
    cfg.optim_wrapper.optimizer = dict(type="torch.optim.SGD", lr=0.05)
    return cfg


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_step_as_one(method: str, digits_teacher: Path, tmp_path: Path) -> None:
    whole, halves = exact(digits_teacher, method), exact(digits_teacher, method)
    halves.train_dataloader.batch_size, halves.launcher = 4, "pytorch"
    assert tiny_runs.in_child(train_and_keep, whole, tmp_path / "one") == 0
    assert in_two(train_and_keep, halves, tmp_path / "two") == [0, 0]
    (one,), (first, second) = ends(tmp_path / "one"), ends(tmp_path / "two")
    assert one.keys() == first.keys() == second.keys()
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=1e-4, atol=1e-6), key
