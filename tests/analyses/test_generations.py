"""Chains are found through who taught whom; their tables are checked by hand."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from cls_kd.analyses import (
    FinishedRun,
    finished_runs,
    generation_calibration,
    generation_transfer,
    generations,
    secondary_information,
)
from cls_kd.analyses.chains import SplitOutputs, chains_of
from cls_kd.data import Digits
from cls_kd.engine import Run, plan, train_runs
from cls_kd.errors import UserError
from tests.engine import tiny_runs

SEEDS = [0, 1]
# By name: the package exports a function called like it.
MODULE = importlib.import_module("cls_kd.analyses.generations")
SECONDARY = importlib.import_module("cls_kd.analyses.secondary_information")


def planned(root: Path, *chains: dict[str, Any], **options: Any) -> list[Run]:
    cfg = tiny_runs.config(None, **options)
    cfg.runs = [{"type": "generations", "lambda_": 0.5, "seeds": SEEDS, **one} for one in chains]
    return plan(cfg, root)


def two_chains(root: Path) -> list[FinishedRun]:
    strict = dict(name="strict", students=1)
    again = dict(name="again", students=2, lambda_=1.0, patriarch="strict_0")
    return [FinishedRun(run) for run in planned(root, strict, again)]


def names(line: list[FinishedRun]) -> list[str]:
    return [f"{one.name}/{one.seed}" for one in line]


# --- who taught whom ---


def test_chains_may_share_a_patriarch(tmp_path: Path) -> None:
    chains = chains_of(two_chains(tmp_path))
    assert {name: list(lines) for name, lines in chains.items()} == {
        "strict": SEEDS,
        "again": SEEDS,
    }
    assert names(chains["strict"][1]) == ["strict_0/1", "strict_1/1"]
    assert names(chains["again"][0]) == ["strict_0/0", "again_1/0", "again_2/0"]


def test_earlier_generations_need_not_be_chosen(tmp_path: Path) -> None:
    last = [run for run in two_chains(tmp_path) if run.name == "again_2"]
    assert names(chains_of(last)["again"][1]) == ["strict_0/1", "again_1/1", "again_2/1"]


def test_runs_that_nobody_taught_are_chains_of_one(tmp_path: Path) -> None:
    cfg = tiny_runs.config(None)
    cfg.runs = [dict(name="teacher"), dict(name="student_1"), dict(name="student_2")]
    chains = chains_of([FinishedRun(run) for run in plan(cfg, tmp_path)])
    # Two would be called 'student': they keep their numbers.
    assert list(chains) == ["teacher", "student_1", "student_2"]
    assert all(len(lines[0]) == 1 for lines in chains.values())


# --- tables of synthetic answers ---

LABELS = torch.tensor([0, 0, 1, 1])
RIGHT, WRONG, SLIGHTLY = [2.0, 0.0], [0.0, 1.0], [0.5, 0.0]
# How each network answers, were all labels 0; of both seeds, but where a seed is named.
SCORES = {
    "strict_0/0": [RIGHT, RIGHT, RIGHT, WRONG],
    "strict_0/1": [RIGHT, RIGHT, WRONG, WRONG],
    "strict_1": [RIGHT, RIGHT, RIGHT, RIGHT],
    "again_1": [WRONG, WRONG, WRONG, WRONG],
    "again_2": [SLIGHTLY, SLIGHTLY, SLIGHTLY, SLIGHTLY],
}


def synthetic_outputs(run: FinishedRun, split: str) -> SplitOutputs:
    assert split == "val"
    scores = SCORES.get(f"{run.name}/{run.seed}") or SCORES[run.name]
    logits = torch.tensor(scores, dtype=torch.float64)
    logits[LABELS == 1] = logits[LABELS == 1].flip(1)
    return SplitOutputs(logits, logits, LABELS, logits.softmax(1))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FinishedRun]:
    for module in (MODULE, SECONDARY):
        monkeypatch.setattr(module, "outputs_of", synthetic_outputs)
    return two_chains(tmp_path)


def rows(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {f"{row['chain']} {row['generations']}": row for _, row in table.iterrows()}


def test_accuracy_alone_and_together(runs: list[FinishedRun], tmp_path: Path) -> None:
    section = generations(runs, baseline="strict_0", split="val")
    found = rows(section.table)
    assert list(found) == [
        *("strict 0", "strict 1", "strict 0-1"),
        *("again 0", "again 1", "again 2", "again 0-1", "again 0-2"),
    ]
    assert found["strict 0"]["accuracy"] == 62.5
    assert found["strict 0"]["std"] == pytest.approx(25 / math.sqrt(2))
    assert found["strict 0"]["verdict"] == found["again 0"]["verdict"] == "baseline"
    assert np.isnan(found["strict 0"]["gain"])
    # Seed by seed: 100 - 75 and 100 - 50.
    gain = found["strict 1"]
    assert gain["gain"] == 37.5
    assert gain["high"] - gain["gain"] == pytest.approx(12.706 * 12.5, rel=1e-4)
    assert gain["verdict"] == "too few seeds (2)"
    assert found["again 1"]["accuracy"] == 0
    # Probabilities are averaged: a sure right answer outweighs one that is wrong and less sure.
    assert found["again 0-1"]["accuracy"] == found["again 0"]["accuracy"]
    assert found["strict 0-1"]["accuracy"] == 100
    _, figure = section.write(tmp_path)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "over 2 seeds" in section.notes[0]
    # Seeds 0 and 1 of the baseline: its third image is right by one and wrong, less sure, by one.
    assert "of 2 networks strict_0 of different seeds, 2 reach 75.00" in section.notes[-1]


def test_calibration_of_networks_and_ensembles(runs: list[FinishedRun]) -> None:
    found = rows(generation_calibration(runs, split="val").table)
    sure = 1 / (1 + math.exp(-2.0))
    assert found["strict 1"]["NLL"] == pytest.approx(-math.log(sure))
    assert found["strict 1"]["Brier"] == pytest.approx(2 * (1 - sure) ** 2)
    assert found["strict 1"]["ECE"] == pytest.approx(1 - sure)
    assert found["strict 1"]["AURC"] == 0
    assert found["again 1"]["AURC"] == 1
    # Mean over two seeds of a mean over four images, with the ensemble's own probabilities.
    likely = {"RR": sure, "RW": (1 / (1 + math.e) + sure) / 2}
    expected = -(5 * math.log(likely["RR"]) + 3 * math.log(likely["RW"])) / 8
    assert found["strict 0-1"]["NLL"] == pytest.approx(expected)


def test_secondary_information_and_drift(runs: list[FinishedRun], tmp_path: Path) -> None:
    section = secondary_information(runs, k=2, split="val")
    assert [*section.table.columns[2:]] == [
        "entropy",
        "first",
        "second to 2",
        "difference",
        "drift",
    ]
    found = rows(section.table)
    p, q = 1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(-0.5))
    w = 1 / (1 + math.e)
    assert found["strict 1"]["first"] == pytest.approx(p)
    assert found["strict 1"]["difference"] == pytest.approx(2 * p - 1)
    assert found["again 2"]["entropy"] == pytest.approx(
        -q * math.log(q) - (1 - q) * math.log(1 - q)
    )
    # From again_1 to again_2, on every image alike.
    expected = w * math.log(w / q) + (1 - w) * math.log((1 - w) / (1 - q))
    assert found["again 2"]["drift"] == pytest.approx(expected)
    assert np.isnan(found["again 0"]["drift"])
    assert section.write(tmp_path)[1].read_bytes().startswith(b"\x89PNG")


def test_class_structure_where_superclasses_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = torch.full((10, 10), 0.01, dtype=torch.float64)
    for label in range(10):
        scores[label, label] = 0.6
        scores[label, (label + 5) % 10] = 0.32  # its like
    answers = SplitOutputs(scores.log(), scores, torch.arange(10), scores)
    monkeypatch.setattr(SECONDARY, "outputs_of", lambda one, split: answers)
    pairs = [0, 1, 2, 3, 4] * 2
    section = secondary_information(two_chains(tmp_path), k=2, superclasses=pairs, split="val")
    row = section.table.iloc[0]
    assert row["superclass mass"] == pytest.approx(0.32 / 0.4)
    assert row["hit rate"] == 1
    assert row["separation"] > 1
    assert "by chance both are 0.111" in section.notes[-1]
    assert "of our own" in section.notes[-1]
    assert section.write(tmp_path)[1].read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="3 are given for 10 classes"):
        secondary_information(two_chains(tmp_path), superclasses=[0, 0, 1], split="val")


@pytest.mark.parametrize("k", [1, 3])
def test_k_counts_the_first_answer_and_no_more_than_all(runs: list[FinishedRun], k: int) -> None:
    with pytest.raises(UserError, match=f"k={k} must be from 2 to 2"):
        secondary_information(runs, k=k, split="val")


def test_superclasses_are_those_that_the_data_set_knows() -> None:
    dataset = SimpleNamespace(metainfo={"classes": "abcd", "superclasses": (0, 0, 1, 1)})
    one = SimpleNamespace(loader=lambda split: SimpleNamespace(dataset=dataset))
    known = SECONDARY._superclasses
    assert known(None, one, "val").tolist() == [0, 0, 1, 1]
    assert known([0, 1, 0, 1], one, "val").tolist() == [0, 1, 0, 1]
    del dataset.metainfo["superclasses"]
    assert known(None, one, "val") is None


def test_an_unknown_baseline_is_named(runs: list[FinishedRun]) -> None:
    with pytest.raises(UserError, match=r"no run 'strict' .*strict_0"):
        generations(runs, baseline="strict", split="val")


# --- real networks ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[FinishedRun]:
    root = tmp_path_factory.mktemp("chain")
    few = {**tiny_runs.TRAIN, "labelled": 50, "only": [0, 1, 2, 3, 4]}
    options = {
        "epochs": 1,
        "model__student__head__num_classes": 5,
        "data_preprocessor__num_classes": 5,
        "val_dataloader__dataset__only": few["only"],
        "test_dataloader__dataset__only": few["only"],
        "test_dataloader__batch_size": 7,
    }
    cfg = tiny_runs.config(None, **options)
    cfg.train_dataloader.dataset = few
    cfg.runs = [dict(type="generations", name="a", students=1, lambda_=0.5, seeds=SEEDS)]
    runs = plan(cfg, root)
    train_runs(runs)
    return finished_runs(runs)


def test_the_accuracy_is_that_of_the_trainings_own_test(trained: list[FinishedRun]) -> None:
    table = generations(trained, baseline="a_0").table
    for place in (0, 1):
        own = [one.result["test"]["accuracy/top1"] for one in trained if one.name == f"a_{place}"]
        assert table["accuracy"][place] == pytest.approx(np.mean(own), abs=1e-4)


def test_transfer_to_digits_that_the_network_never_saw(trained: list[FinishedRun]) -> None:
    pipeline = [{"type": "mmpretrain.datasets.transforms.PackInputs"}]
    others = {"type": "cls_kd.data.Digits", "only": [5, 6, 7, 8, 9], "pipeline": pipeline}
    train, test = {**others, "split": "train", "labelled": 60}, {**others, "split": "test"}
    section = generation_transfer(trained, train=train, test=test, baseline="a_0")
    assert [*section.table["generations"]] == ["0", "1"]

    expected = []
    for one in (run for run in trained if run.name == "a_1"):
        (x, y), (u, v) = (_embedded(one, config) for config in (train, test))
        mean, std = x.mean(0), x.std(0, correction=0)
        classifier = LogisticRegression(max_iter=1000).fit((x - mean) / std, y)
        expected.append(100 * classifier.score((u - mean) / std, v))
    assert section.table["accuracy"][1] == pytest.approx(np.mean(expected))
    assert section.table["accuracy"][1] > 30  # by chance 20


@torch.no_grad()
def _embedded(one: FinishedRun, config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    options = {key: value for key, value in config.items() if key not in ("type", "pipeline")}
    data = Digits(**options)
    images = torch.stack([torch.from_numpy(item["img"]).permute(2, 0, 1) for item in data])
    student = one.distiller.student
    maps = student.backbone((images.float() - 77.713) / 95.724)[-1]
    return maps.mean((2, 3)), torch.tensor([item["gt_label"] for item in data])
