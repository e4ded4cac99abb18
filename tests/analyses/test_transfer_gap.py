"""The transfer gap of finished runs: its table against predictions, its lines and figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cls_kd.analyses import FinishedRun, analyze
from cls_kd.engine import Run, plan, train
from cls_kd.errors import UserError
from cls_kd.reporting import Section
from tests.engine import tiny_runs


@pytest.fixture(scope="module")
def runs(digits_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    cfg = tiny_runs.config(digits_teacher, method="ipwd", epochs=2)
    ce = dict(_delete_=True, ce=dict(type="cls_kd.losses.TaskLoss"))
    cfg.runs = [
        dict(name="student", seeds=[0, 1], model=dict(losses=ce, teacher=None)),
        dict(name="ipwd", seeds=[0, 1]),
    ]
    planned = plan(cfg, tmp_path_factory.mktemp("gap"))
    for run in planned:
        assert tiny_runs.in_child(train, run) == 0
    return planned


def analyzed(runs: list[Run], **options: Any) -> Section:
    return analyze({"type": "transfer_gap", "baseline": "student", **options}, runs)


def test_the_table_says_what_the_predictions_say(runs: list[Run]) -> None:
    table = analyzed(runs, groups=4, temperature=4.0).table
    assert len(table) == 2 * 4
    teacher = FinishedRun(runs[2]).signals("train", ["teacher_logits"])["teacher_logits"]
    mass = (teacher.double() / 4).softmax(1).mean(0).numpy()
    ranked = np.argsort(-mass, kind="stable")
    groups = [ranked[:3], ranked[3:6], ranked[6:8], ranked[8:]]
    recalls = {}
    for run in runs:
        seen = FinishedRun(run).signals("test", ["student_logits", "labels"])
        right = (seen["student_logits"].argmax(1) == seen["labels"]).numpy()
        labels = seen["labels"].numpy()
        recalls[run.name, run.seed] = [
            100 * np.mean([right[labels == c].mean() for c in group if (labels == c).any()])
            for group in groups
        ]
    for place, group in enumerate(groups):
        student, ipwd = (
            table[(table["run"] == name) & (table["group"] == place + 1)].iloc[0]
            for name in ("student", "ipwd")
        )
        assert student["classes"] == " ".join(str(c) for c in group)
        assert student["mass"] == pytest.approx(10 * mass[group].mean())
        assert student["labels"] == pytest.approx(1)
        for row, name in ((student, "student"), (ipwd, "ipwd")):
            expected = np.mean([recalls[name, seed][place] for seed in (0, 1)])
            assert row["recall"] == pytest.approx(expected)
        assert ipwd["gain"] == pytest.approx(ipwd["recall"] - student["recall"])
        assert pd.isna(student["gain"])
        assert pd.isna(student["weight"])
        assert ipwd["weight"] > 0


def test_the_weights_are_those_of_the_loss(runs: list[Run]) -> None:
    table = analyzed(runs[:3], groups=10).table
    one = FinishedRun(runs[2])
    names = ["student_embedding", "student_logits", "targets", "labels"]
    embedding, logits, targets, labels = one.signals("train", names).values()
    loss = one.distiller.losses["ipwd"]
    with torch.no_grad():
        weights = loss.weigh(loss.head.classifier(embedding), logits, targets)
    for _, row in table[table["run"] == "ipwd"].iterrows():
        of_class = weights[labels == int(row["classes"])]
        assert row["weight"] == pytest.approx(float(of_class.mean() / weights.mean()), rel=1e-5)


def test_it_is_written_with_a_figure_and_what_to_know(runs: list[Run], tmp_path: Path) -> None:
    section = analyzed(runs)
    table, figure = section.write(tmp_path)
    assert len(pd.read_csv(table)) == 8
    assert figure.read_bytes().startswith(b"\x89PNG")
    text = section.markdown()
    assert "effective sample size" in text
    assert "too few seeds (2)" in text
    assert "at temperature 1" in text
    seen = FinishedRun(runs[2]).signals("train", ["teacher_logits", "labels"])
    right = (seen["teacher_logits"].argmax(1) == seen["labels"]).double().mean()
    assert f"the teacher is right about {100 * right:.1f} %" in text


def test_what_is_refused(runs: list[Run]) -> None:
    with pytest.raises(UserError, match=r"no run 'studnet'.*'student'"):
        analyzed(runs, baseline="studnet")
    with pytest.raises(UserError, match="no run has one"):
        analyzed(runs[:2])
    with pytest.raises(UserError, match="groups"):
        analyzed(runs, groups=11)
