"""Runs without labels: probes as validation, the chain to fine-tuning, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from cls_kd.engine import load_config, plan, train
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from cls_kd.evaluation import KNNProbe, LinearProbe
from tests.engine import tiny_runs

CONFIG = tiny_runs.ROOT / "configs" / "digits" / "foundation.py"
SHORT = {
    "train_cfg.max_epochs": 1,
    "train_cfg.val_interval": 1,
    "param_scheduler.0.T_max": 1,
    "val_dataloader.dataset.indices": 60,
    "test_dataloader.dataset.indices": 60,
    "default_hooks.checkpoint.interval": 1,
}


def runs(work_dir: Path, teacher: Path) -> dict[str, Any]:
    """The runs of the config, one seed and one epoch of each; the teacher is there."""
    cfg = load_config(CONFIG)
    for entry in cfg.runs.values():
        entry["seeds"] = [0]
    cfg.merge_from_dict(SHORT)
    del cfg.runs["teacher"]
    cfg.model.teacher = {"network": tiny_runs.TEACHER, "weights": str(teacher)}
    return {run.name: run for run in plan(cfg, work_dir)}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, digits_teacher: Path) -> dict[str, Any]:
    """Pre-trained, probed and fine-tuned: results, and folders."""
    work_dir = tmp_path_factory.mktemp("chain")
    planned = runs(work_dir, digits_teacher)
    names = ("pretrain", "probe", "finetune")
    return {name: (train(planned[name]), planned[name].work_dir) for name in names}


def test_probes_are_the_validation(chain: dict[str, Any]) -> None:
    result, folder = chain["pretrain"]
    (entry,) = result["val"]
    assert set(entry) == {"epoch", "knn/top1", "linear_probe/top1"}
    assert set(result["test"]) == {"knn/top1", "linear_probe/top1"}
    assert set(result["teacher"]["0"]) == {"knn/top1", "linear_probe/top1"}
    assert json.loads((folder / "result.json").read_text())["val"] == result["val"]
    assert 10 < result["teacher"]["0"]["linear_probe/top1"] <= 100
    assert set(result["train"][0]) == {"epoch", "loss", "embedding.loss"}


def test_what_was_learned_goes_on(chain: dict[str, Any]) -> None:
    """The probe trains the classifier alone; fine-tuning all of it."""
    before = weights(chain["pretrain"][1])
    probe, tuned = (weights(chain[name][1]) for name in ("probe", "finetune"))
    moved = {key.split(".")[1] for key in before if not torch.equal(before[key], probe[key])}
    assert moved == {"head"}
    moved = {key.split(".")[1] for key in before if not torch.equal(before[key], tuned[key])}
    assert moved == {"backbone", "head"}
    assert set(chain["probe"][0]["test"]) == {"accuracy/top1"}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = tiny_runs.last(folder)["state_dict"]
    return {key: value for key, value in state.items() if key.startswith("student.")}


def test_the_untrained_classifier_stays(chain: dict[str, Any]) -> None:
    _, folder = chain["pretrain"]
    log = next(folder.glob("*/*.log")).read_text()
    assert "No loss asks for the student's logits: head.fc is not trained." in log


def test_probes_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels, others = generator.integers(0, 3, 60), generator.integers(0, 3, 40)
    centers = generator.normal(size=(3, 5))
    images = centers[labels] + generator.normal(size=(60, 5))
    queries = centers[others] + generator.normal(size=(40, 5))
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, queries)]
    # Of unit vectors the squared distance is twice the cosine distance.
    neighbors = KNeighborsClassifier(5, weights=lambda d: 1 / (d**2 / 2)).fit(units[0], labels)
    expected = 100 * neighbors.score(units[1], others)
    measured = KNNProbe(neighbors=5)(images, labels, queries, others)
    assert measured == {"knn/top1": pytest.approx(expected, abs=1e-4)}
    scaler = StandardScaler().fit(images)
    regression = LogisticRegression(max_iter=1000).fit(scaler.transform(images), labels)
    expected = 100 * regression.score(scaler.transform(queries), others)
    measured = LinearProbe()(images, labels, queries, others)
    assert measured == {"linear_probe/top1": pytest.approx(expected, abs=1e-4)}
    assert 50 < expected < 100


REFUSED = {
    "labels": (
        {"model.losses": {"_delete_": True, "ce": {"type": "cls_kd.losses.TaskLoss"}}},
        "The training data have no labels, and the loss 'ce' (TaskLoss) asks for "
        "'student_criterion'. Losses that need none, of any teacher: ABLoss, ",
    ),
    "probes": (
        {"val_evaluator": {"_delete_": True, "type": "mmpretrain.evaluation.Accuracy"}},
        "its evaluator is a list of probes, [dict(type=KNNProbe), dict(type=LinearProbe)], not "
        "Accuracy.",
    ),
    "labeled": (
        {
            "val_cfg.labeled.dataset": {
                "_delete_": True,
                "type": "cls_kd.data.Unlabeled",
                "dataset": {"type": "cls_kd.data.Digits"},
            }
        },
        "val_cfg: the images of `labeled` have no labels.",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind: str, tmp_path: Path, digits_teacher: Path) -> None:
    changes, words = REFUSED[kind]
    run = runs(tmp_path, digits_teacher)["pretrain"]
    run.cfg.merge_from_dict(changes)
    with pytest.raises(UserError) as refused:
        build_parts(run.resolved())
    assert words in str(refused.value)
    if kind == "labels":
        listed = str(refused.value).partition("of any teacher: ")[2]
        for name in ("SRDLoss", "PKTLoss", "RKDLoss", "SPLoss", "VkDLoss", "InstanceCRDLoss"):
            assert name in listed.split(";")[0]
        assert "CRDLoss," not in listed.replace("InstanceCRDLoss,", "")
        assert "KDLoss" in listed.split(";")[1]


def test_a_probe_of_wrong_options() -> None:
    with pytest.raises(UserError, match="neighbors must be a whole number above 0, not 0"):
        KNNProbe(neighbors=0)
    with pytest.raises(UserError, match="c and max_iter must be above 0"):
        LinearProbe(c=0)
