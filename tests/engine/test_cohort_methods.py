"""Every method ends in a cohort as it does alone, to the last bit.

``pytest tests/engine/test_cohort_methods.py --every-method`` tries all of them, on the digits
and on ResNet32x4 to ResNet8x4, and takes an hour. Without that option some of each kind are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from cls_kd.data.synthetic import write_cifar100
from cls_kd.distillers import Teacher
from cls_kd.engine import load_config, plan, train
from cls_kd.engine.cohort_executor import CohortExecutor
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from cls_kd.runs import Run
from cls_kd.runs.cohorts import group
from cls_kd.runs.compose import known_methods
from tests.engine import tiny_runs
from tests.engine.test_method_regimes import config
from tests.engine.tiny_runs import ROOT

# Kinds that `test_cohort.py` lacks: views of images, parts of the networks as functions, another
# optimizer, students of several branches.
SOME = ["crld", "mlkd", "srrl", "dot", "okddip"]
EVERY = sorted(known_methods())
PAIR = ROOT / "configs" / "pairs" / "cifar100" / "resnet32x4_resnet8x4.py"
# Options of losses that cost time and memory.
SMALL = {"negatives": 64}


@pytest.fixture(scope="module")
def methods(request: pytest.FixtureRequest) -> list[str]:
    return EVERY if request.config.getoption("--every-method") else SOME


def named(configs: Iterator[tuple[str, Config]], folder: Path) -> list[Run]:
    runs = []
    for name, cfg in configs:
        (run,) = plan(cfg, folder / name)
        runs.append(Run(name, run.seed, run.cfg, run.work_dir))
    return runs


def check(runs: list[Run], alone: list[Run]) -> dict[str, list[str]]:
    """Method to the first values that differ, of those that do."""
    CohortExecutor().execute(runs, resume=False, launcher="none", on_event=lambda event: None)
    different = {}
    for joined, run in zip(runs, alone, strict=True):
        train(run)
        states = tiny_runs.state(joined.work_dir), tiny_runs.state(run.work_dir)
        if keys := tiny_runs.different(*states):
            different[run.name] = keys[:5]
    return different


def test_on_digits(methods: list[str], digits_teacher: Path, tmp_path: Path) -> None:
    joined, alone = (
        named(((method, config(method, digits_teacher)) for method in methods), tmp_path / name)
        for name in ("joined", "alone")
    )
    groups = group(joined).groups
    assert sum(len(members) > 1 for members in groups) >= 2
    assert check(joined, alone) == {}


def cifar_configs(methods: list[str], folder: Path) -> Iterator[tuple[str, Config]]:
    """Two steps of each method that fits the pair."""
    for method in methods:
        try:
            cfg = load_config(PAIR, method=method)
            cfg.merge_from_dict(
                {
                    "train_dataloader.batch_size": 4,
                    "val_dataloader.batch_size": 10,
                    "train_cfg.max_epochs": 1,
                    "param_scheduler": [],
                    "default_hooks.checkpoint.interval": 1,
                    "console_log_level": "ERROR",
                    "model.teacher.weights": str(folder / "teacher.pth"),
                }
            )
            for key, length in (("train", 8), ("val", 10)):
                dataset = cfg[f"{key}_dataloader"].dataset
                while "dataset" in dataset:
                    dataset = dataset.dataset
                dataset.update(data_root=str(folder), checksum=False, indices=length)
            for loss in cfg.model.losses.values():
                loss.update({key: value for key, value in SMALL.items() if key in loss})
            cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
            build_parts(plan(cfg, folder)[0].resolved())
        except UserError:
            continue
        yield method, cfg


def test_on_resnet32x4_resnet8x4(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if not request.config.getoption("--every-method"):
        pytest.skip("takes long: --every-method")
    write_cifar100(tmp_path, train=100, test=100, seed=0)
    torch.manual_seed(0)
    network = Teacher(load_config(PAIR).model.teacher.network, "random").network
    torch.save({"state_dict": network.state_dict()}, tmp_path / "teacher.pth")
    configs = list(cifar_configs(EVERY, tmp_path))
    print("tried:", *(name for name, _ in configs))
    assert len(configs) > 60
    joined, alone = (named(iter(configs), tmp_path / name) for name in ("joined", "alone"))
    assert check(joined, alone) == {}
