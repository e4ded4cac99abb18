"""The sections about branches: figures from results, and gradients of a small student."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from mmengine.config import Config

from cls_kd.analyses import FinishedRun, branches, diversity_pull
from cls_kd.engine import plan, train
from cls_kd.errors import UserError
from cls_kd.runs import Run, mark_finished
from tests.engine.test_branch_runs import config


def made(name: str, seed: int, test: dict[str, float], folder: Path) -> FinishedRun:
    run = Run(name, seed, Config({"seed": seed}), folder / name / f"seed_{seed}")
    run.work_dir.mkdir(parents=True)
    val = [{"epoch": 1, "accuracy/top1": 1.0, "branches/mean_top1": 2.0}]
    mark_finished(run, {"epochs": 1, "val": val, "test": test})
    return FinishedRun(run)


def figures(*each: float, deployed: float, ensemble: float) -> dict[str, float]:
    return {
        "accuracy/top1": deployed,
        **{f"branch_{place}/top1": value for place, value in enumerate(each)},
        "branches/mean_top1": sum(each) / len(each),
        "branches/diversity": 0.1,
        "ensemble/top1": ensemble,
    }


def test_branches_beside_what_is_deployed(tmp_path: Path) -> None:
    runs = [
        made("student", 0, {"accuracy/top1": 80.0}, tmp_path),
        made("one", 0, figures(80.0, 90.0, deployed=80.0, ensemble=92.0), tmp_path),
        made("one", 1, figures(84.0, 86.0, deployed=84.0, ensemble=94.0), tmp_path),
    ]
    section = branches(runs)
    table = section.table.set_index("run")
    assert list(table.index) == ["student", "one"]
    row = table.loc["one"]
    assert row["deployed"] == pytest.approx(82)
    assert row["branches"] == pytest.approx(85)
    assert row["ensemble"] == pytest.approx(93)
    assert (row["worst branch"], row["best branch"], row["seeds"]) == (80.0, 90.0, 2)
    assert pd.isna(table.loc["student", "ensemble"])
    assert branches(runs, split="val").table.set_index("run").loc["one", "branches"] == 2.0
    written = section.write(tmp_path)
    assert [file.name for file in written] == ["branches.csv", "branches.png"]


def test_somebody_must_have_branches(tmp_path: Path) -> None:
    run = made("student", 0, {"accuracy/top1": 80.0}, tmp_path)
    with pytest.raises(UserError, match="PeerAccuracy"):
        branches([run])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    cfg = config("okdmde", epochs=1)
    cfg.model.losses.cd.weight = 0.01
    (run,) = plan(cfg, tmp_path_factory.mktemp("okdmde"))
    train(run)
    return FinishedRun(run)


def test_the_pull_is_the_gradient_at_the_classifiers(trained: FinishedRun) -> None:
    row = diversity_pull([trained]).table.iloc[0]
    assert row["scale"] == "0.01"
    # CD has no data in it: its gradient can be worked out from the weights alone.
    weights = trained.distiller.student.peer_classifiers().detach().requires_grad_()
    norms = [
        torch.linalg.matrix_norm(weights[a].T @ weights[b]) for a, b in [(0, 1), (0, 2), (1, 2)]
    ]
    (gradient,) = torch.autograd.grad(sum(norms), weights)
    assert float(row["CD, end"]) == pytest.approx(float(gradient.norm()), rel=0.05)
    ratio = 0.01 * float(row["CD, end"]) / float(row["CE, end"])
    assert float(row["ratio, end"]) == pytest.approx(ratio, rel=0.1)
    assert float(row["CD, start"]) < float(row["CD, end"])  # heads start next to zero


def test_some_run_must_have_the_loss() -> None:
    with pytest.raises(UserError, match="no run is trained with ClassifierDiversityLoss"):
        diversity_pull([])
