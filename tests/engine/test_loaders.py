"""What is measured of the data."""

from __future__ import annotations

from pathlib import Path

from cls_kd.engine import load_config, plan
from cls_kd.engine.train import build_parts
from tests.engine.tiny_runs import PAIR


def test_a_memory_bank_has_one_row_a_sample_however_often_it_is_repeated(tmp_path: Path) -> None:
    cfg = plan(load_config(PAIR, method="crd"), tmp_path)[-1].cfg
    cfg.model.teacher.weights = "random"
    model, loaders, _ = build_parts(cfg)
    assert len(loaders["train_dataloader"].dataset) == 1000
    assert len(model.losses["crd"].bank.labels) == 100
