"""`cls-kd diagnose` on real runs: three that were broken on purpose, and a healthy one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from cls_kd.analyses import FinishedRun
from cls_kd.analyses.diagnosis import Diagnosis, diagnose
from cls_kd.analyses.diagnosis.page import TITLES, markdown
from cls_kd.analyses.diagnosis.training import Training
from cls_kd.engine import DistillRunner
from cls_kd.runs.run_folder import run_in_folder
from tests.engine import tiny_runs
from tests.tools.driver import command

EPOCHS = 4
IMAGES = 240


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnosis")
    assert tiny_runs.in_child(_train, folder) == 0
    return folder


def _train(root: Path) -> None:
    """A teacher, a healthy student of it, and three students that something is wrong with."""
    _run(root, "teacher", None, "ce", epochs=EPOCHS, model__student=tiny_runs.TEACHER)
    teacher = root / "teacher" / f"epoch_{EPOCHS}.pth"
    _run(root, "healthy", teacher, "kd", epochs=6, default_hooks__checkpoint__interval=3)
    few = {"epochs": 2, "train_dataloader__dataset__labelled": 200}
    raw = {"model__teacher__data_preprocessor": dict(mean=[0.0], std=[1.0])}
    _run(root, "normalization", teacher, "kd", **few, **raw)
    _run(root, "temperature", teacher, "kd", **few, model__losses__kd__temperature=100.0)
    with mock.patch.object(DistillRunner, "_init_model_weights", _saving_initial_weights):
        _run(root, "at", teacher, "at", **few)


def _run(root: Path, name: str, teacher: Path | None, method: str, **options: Any) -> None:
    changes = {
        "train_dataloader__dataset__labelled": None,
        "train_dataloader__dataset__pipeline": [dict(type="mmpretrain.datasets.PackInputs")],
        "train_dataloader__batch_size": 40,
        "test_dataloader__dataset__indices": IMAGES,
        "train_cfg__val_interval": options["epochs"],
        "default_hooks__checkpoint__interval": options["epochs"],
        **options,
    }
    cfg = tiny_runs.config(teacher, method=method, **changes)
    tiny_runs.train(tiny_runs.single(cfg, root / name))


def _saving_initial_weights(runner: DistillRunner) -> None:
    super(DistillRunner, runner)._init_model_weights()
    torch.save(runner.model.state_dict(), Path(runner.work_dir, "initial.pth"))


def diagnosis(root: Path, name: str) -> Diagnosis:
    return diagnose(FinishedRun(run_in_folder(root / name)), IMAGES)


def rules(found: Diagnosis) -> set[str]:
    return {finding.rule for finding in found.findings}


@pytest.fixture(scope="module")
def healthy(root: Path) -> Diagnosis:
    return diagnosis(root, "healthy")


def test_a_healthy_run_raises_no_alarm(healthy: Diagnosis) -> None:
    assert healthy.findings == []
    assert "Nothing unusual was found." in markdown(healthy)


def test_measures_are_those_of_the_run(healthy: Diagnosis, root: Path) -> None:
    measures = healthy.measures
    recorded = json.loads((root / "healthy" / "result.json").read_text())
    teacher = json.loads((root / "teacher" / "result.json").read_text())
    assert measures.test is not None
    assert measures.test.teacher is not None
    assert measures.teacher is not None
    assert measures.test.images == measures.train.images == IMAGES
    assert measures.test.student.accuracy == pytest.approx(recorded["test"]["accuracy/top1"])
    assert measures.test.teacher.accuracy == pytest.approx(teacher["test"]["accuracy/top1"])
    assert measures.teacher.recorded_accuracy == teacher["test"]["accuracy/top1"]
    assert measures.history == recorded["train"]
    assert [moment.name for moment in measures.moments] == ["first", "epoch 3", "last"]
    for moment in measures.moments:
        assert moment.terms["ce"].weight == 0.1
        assert moment.terms["kd"].at_logits is not None
    first, last = measures.moments[0].terms["kd"].value, measures.moments[-1].terms["kd"].value
    assert first > last > 0
    assert measures.similarity is not None
    assert len(measures.similarity) == len(measures.similarity[0]) == 3
    assert all(-0.1 < value < 1.001 for row in measures.similarity for value in row)


def test_the_first_weights_are_those_that_the_run_began_with(root: Path) -> None:
    training = Training(FinishedRun(run_in_folder(root / "at")), IMAGES)
    saved = torch.load(root / "at" / "initial.pth", weights_only=True)
    initial = training.initial_weights()
    assert saved.keys() == initial.keys()
    for name, value in saved.items():
        assert torch.equal(value, initial[name].cpu()), name


def test_a_wrong_normalization_of_the_teacher_is_named(root: Path) -> None:
    found = diagnosis(root, "normalization")
    assert {"teacher_normalization", "teacher_inputs", "teacher_below_record"} <= rules(found)
    assert found.findings[0].text == (
        "The teacher gets images with the wrong normalization: mean 0, std 1; it was trained with "
        "mean 77.7, std 95.7."
    )


def test_a_temperature_of_100_is_named(root: Path) -> None:
    found = diagnosis(root, "temperature")
    assert "temperature_too_high" in rules(found)
    assert not rules(found) & {"teacher_normalization", "teacher_inputs", "term_dominates"}
    (entry,) = (item for item in found.findings if item.rule == "temperature_too_high")
    assert "the temperature 100 is too high" in entry.text


def test_a_weight_of_1000_of_at_is_named(root: Path) -> None:
    found = diagnosis(root, "at")
    assert "term_dominates" in rules(found)
    assert not rules(found) & {"teacher_normalization", "teacher_inputs", "temperature_too_high"}
    (entry,) = (item for item in found.findings if item.rule == "term_dominates")
    assert entry.text.startswith("at dwarfs the other terms: with the weight 1000.0")
    # A term on features has no gradient by the logits, and the page says so.
    assert all(moment.terms["at"].at_logits is None for moment in found.measures.moments)
    assert all(moment.terms["ce"].at_logits for moment in found.measures.moments)


def test_the_command_prints_and_writes_one_page(root: Path, tmp_path: Path) -> None:
    shown = command(
        "diagnose", root / "at", "--images", "100", "--output", tmp_path / "page"
    ).succeeded()
    page = (tmp_path / "page" / "diagnosis.md").read_text()
    for title in TITLES.values():
        assert title in shown.out
        assert f"## {title}\n" in page
    content = json.loads((tmp_path / "page" / "diagnosis.json").read_text())
    assert content["train"]["images"] == 100
    assert "term_dominates" in [finding["rule"] for finding in content["findings"]]
    assert content["terms"]["at"]["weight"] == "1000.0"


def test_a_run_without_a_teacher_has_a_page_too(root: Path) -> None:
    config, folder = root / "teacher" / "config.py", root / "teacher"
    command("diagnose", config, "--work-dir", folder, "--images", "100").succeeded()
    page = (root / "teacher" / "diagnosis.md").read_text()
    assert "Nothing unusual was found." in page
    assert "The run has no teacher" in page
    assert TITLES["teacher"] not in page


def test_what_is_no_finished_run_is_refused(root: Path, tmp_path: Path) -> None:
    command("diagnose", tmp_path).refused("holds no finished run")
    command("diagnose", root).refused("5 below it", str(root / "healthy"))
    command("diagnose", root / "at", "--run", "kd").refused("--run is for a config")
    command("diagnose", "digits/pair", "--work-dir", tmp_path).refused("not finished")
