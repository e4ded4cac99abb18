"""tools/test.py: a student's checkpoint, a plain one, or the teacher, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import of_student
from cls_kd.engine import load_config
from tests.tools.conftest import Spoil, Trained
from tests.tools.driver import PAIR, call, contents

METRIC = "accuracy/top1"


def accuracy(out: Path) -> float:
    return json.loads(out.read_text())["evaluations"][0]["metrics"][METRIC]


def in_result(trained: Trained, run: str) -> dict:
    return json.loads((trained.work_dir / run / "result.json").read_text())


def test_a_student_reaches_what_its_training_ended_with(trained: Trained, tmp_path: Path) -> None:
    before = contents(trained.work_dir)
    out = tmp_path / "out.json"
    outcome = call("test.py", PAIR, trained.student, "--out", out).succeeded()
    assert accuracy(out) == in_result(trained, "nkd")["test"][METRIC]
    assert f"{accuracy(out):.2f}" in outcome.out
    assert contents(trained.work_dir) == before


def test_the_teacher_reaches_what_was_logged_before_training(
    trained: Trained, tmp_path: Path
) -> None:
    before = contents(trained.work_dir)
    out = tmp_path / "out.json"
    options = ("--network", "teacher", "--split", "val", "--method", "nkd", "--out", out)
    call("test.py", PAIR, "--work-dir", trained.work_dir, *options).succeeded()
    assert accuracy(out) == in_result(trained, "nkd")["teacher"]["0"][METRIC]
    call("test.py", PAIR, trained.teacher, *options).succeeded()
    assert accuracy(out) == in_result(trained, "nkd")["teacher"]["0"][METRIC]
    assert contents(trained.work_dir) == before


def test_a_plain_checkpoint_is_as_good(trained: Trained, tmp_path: Path) -> None:
    plain, out = tmp_path / "plain.pth", tmp_path / "out.json"
    weights = of_student(read_checkpoint(trained.student)["state_dict"])
    torch.save({"state_dict": weights, "meta": {}}, plain)
    call("test.py", PAIR, plain, "--out", out).succeeded()
    assert accuracy(out) == in_result(trained, "nkd")["test"][METRIC]


def test_another_run_of_the_config(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    call("test.py", PAIR, trained.teacher, "--run", "teacher", "--out", out).succeeded()
    assert accuracy(out) == in_result(trained, "teacher")["test"][METRIC]


def test_the_config_that_a_run_left_will_do(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    call("test.py", trained.work_dir / "nkd" / "config.py", trained.student, "--out", out)
    assert accuracy(out) == in_result(trained, "nkd")["test"][METRIC]


def test_half_precision_is_near(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    call("test.py", PAIR, trained.student, "--amp", "--out", out).succeeded()
    assert accuracy(out) == pytest.approx(in_result(trained, "nkd")["test"][METRIC], abs=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Which checkpoint?"),
        (("/nowhere/epoch_1.pth",), "/nowhere/epoch_1.pth does not exist"),
        (("STUDENT", "--run", "techer"), "Did you mean 'teacher'"),
        (("STUDENT", "--run", "teacher"), "does not fit"),
        (("TEACHER",), "does not fit"),
        (("STUDENT", "--run", "teacher", "--network", "teacher"), "no teacher"),
        (("--network", "teacher", "--work-dir", "/nowhere"), "has no checkpoint"),
        (("STUDENT", "--out", "/nowhere/out.json"), "no folder /nowhere"),
        (("STUDENT", "--cfg-options", "test_evaluator=None"), "test_evaluator"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    arguments: tuple[str, ...], words: str, trained: Trained
) -> None:
    files = {"STUDENT": trained.student, "TEACHER": trained.teacher}
    call("test.py", PAIR, *[files.get(one, one) for one in arguments]).refused(words)


def test_labels_that_the_network_has_not_are_refused(config: Spoil, tmp_path: Path) -> None:
    path = config("model['student']['head']['num_classes'] = 5")
    network = build_network(load_config(path).model.student)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "five.pth")
    call("test.py", path, tmp_path / "five.pth").refused("Labels out of range", "test data set")
