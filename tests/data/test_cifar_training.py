"""The data configs train as they stand; a killed run that is resumed ends with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from cls_kd.data import synthetic
from cls_kd.data.crop_flip import draw
from cls_kd.engine import load_config, train
from cls_kd.engine.loaders import build_loader
from cls_kd.registry import MODELS
from cls_kd.signals import TrainingTime
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die

BASE = tiny_runs.ROOT / "configs" / "_base_"
LEAF = """
from mmengine.config import read_base
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.distillers import Distiller
from cls_kd.losses import CRDLoss, TaskLoss
from cls_kd.models import DigitsCNN

with read_base():
    from cls_kd.configs._base_.datasets.{data} import *
    from cls_kd.configs._base_.runtime.default import *
    from cls_kd.configs._base_.schedules.{schedule} import *

network = dict(
    type=ImageClassifier,
    backbone=dict(type=DigitsCNN, in_channels=3, widths=(4, 4, 8)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=8),
)
model = dict(
    type=Distiller,
    student=network,
    teacher=dict(network=network, weights="random"),
    losses=dict(ce=dict(type=TaskLoss), crd=dict(type=CRDLoss, dim=8, negatives=16)),
)
"""


def leaf(folder: Path, **names: str) -> Path:
    file = folder / "leaf.py"
    file.write_text(LEAF.format(**names))
    return file


def config(root: Path, folder: Path, **options: Any) -> Config:
    cfg = load_config(leaf(folder, data="cifar100", schedule="cifar_crd"))
    changes: dict[str, Any] = {
        "train_cfg.max_epochs": 3,
        "train_dataloader.batch_size": 100,
        "default_hooks.checkpoint.interval": 1,
        "console_log_level": "ERROR",
        **options,
    }
    for part in ("train", "val", "test"):
        changes[f"{part}_dataloader.dataset.data_root"] = str(root)
        changes[f"{part}_dataloader.dataset.checksum"] = False
    cfg.merge_from_dict(changes)
    return cfg


MIXED = {
    "data_preprocessor.batch_augments": dict(augments=[dict(type="Mixup", alpha=0.8)], probs=[0.5])
}


@pytest.mark.parametrize("options", [{}, MIXED], ids=["hard", "mixed"])
def test_a_resumed_run_ends_with_the_same_bits(
    options: dict[str, Any], cifar100_root: Path, tmp_path: Path
) -> None:
    cfg = config(cifar100_root, tmp_path, **options)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, whole) == 0
    assert tiny_runs.in_child(train_and_die, cfg, broken, in_step, 4) == -9
    assert tiny_runs.last(broken)["meta"]["epoch"] == 1
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, broken, True) == 0
    assert not tiny_runs.different(tiny_runs.state(whole), tiny_runs.state(broken))


def test_the_crops_decide_what_is_learned(cifar100_root: Path, tmp_path: Path) -> None:
    """The test above would pass as well if nothing were augmented."""
    plain = {"data_preprocessor.augment": None}
    ends = []
    for name, options in (("cropped", {}), ("plain", plain)):
        cfg = config(cifar100_root, tmp_path, **options)
        assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / name) == 0
        ends.append(tiny_runs.state(tmp_path / name))
    assert [key for key in tiny_runs.different(*ends) if "/state_dict" in key]


def test_seed_and_epoch_of_the_run_reach_the_crops(
    cifar100_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def noted(index: Tensor, choices: int, time: TrainingTime) -> Tensor:
        drawn = draw(index, choices, time)
        seen.append((index, drawn))
        return drawn

    monkeypatch.setattr("cls_kd.data.crop_flip.draw", noted)
    train(tiny_runs.single(config(cifar100_root, tmp_path, **{"randomness.seed": 5}), tmp_path))
    assert len(seen) == 3 * 3  # and none in validation
    for step, (index, drawn) in enumerate(seen):
        time = TrainingTime(seed=5, epoch=step // 3, max_epochs=3)
        assert torch.equal(draw(index, 162, time), drawn)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar100_nkd", "cinic10"])
def test_data_configs_give_normalized_batches(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder that they name, on synthetic data."""
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(BASE / "datasets" / f"{name}.py")
    folder = Path(cfg.train_dataloader.dataset.data_root)
    kind = name.removesuffix("_nkd")
    assert folder == Path("data", kind)
    getattr(synthetic, f"write_{kind}")(folder, train=260, test=100, seed=0)
    cfg.randomness = dict(seed=0)
    init_default_scope("cls_kd")
    preprocessor = MODELS.build(cfg.data_preprocessor)
    for part, size in (("train", 128 if "nkd" in name else 64), ("val", 100), ("test", 100)):
        dataset = cfg[f"{part}_dataloader"].dataset
        if "checksum" in dataset:
            assert dataset.checksum is True
            dataset.checksum = False
        size = 260 if (part, kind) == ("val", "cinic10") else size
        batch = preprocessor(next(iter(build_loader(cfg, f"{part}_dataloader"))), part == "train")
        assert batch["inputs"].shape == (size, 3, 32, 32)
        assert len(batch["data_samples"].labels) == size
        raw = batch["inputs"] * preprocessor.std + preprocessor.mean
        assert -0.01 < raw.min() < raw.max() < 255.01
    assert cfg.data_preprocessor.num_classes == (100 if kind == "cifar100" else 10)


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("cifar_crd", {0: 0.05, 149: 0.05, 150: 0.005, 180: 0.0005, 210: 0.00005, 239: 0.00005}),
        ("cifar_200", {0: 0.1, 59: 0.1, 60: 0.02, 120: 0.004, 160: 0.0008, 199: 0.0008}),
        ("cifar_online_300", {0: 0.1, 149: 0.1, 150: 0.01, 225: 0.001, 299: 0.001}),
    ],
)
def test_schedules(name: str, rates: dict[int, float]) -> None:
    cfg = Config.fromfile(BASE / "schedules" / f"{name}.py")
    optimizer = cfg.optim_wrapper.optimizer
    (steps,) = cfg.param_scheduler
    for epoch, rate in rates.items():
        passed = sum(epoch >= milestone for milestone in steps.milestones)
        assert optimizer.lr * steps.gamma**passed == pytest.approx(rate)
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 5e-4)
    assert optimizer.get("nesterov", False) == (name == "cifar_online_300")
    assert cfg.train_cfg.max_epochs == max(rates) + 1
