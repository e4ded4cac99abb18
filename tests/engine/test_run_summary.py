"""What the terminal shows before the first epoch, and what the log file has."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cls_kd.engine import train
from cls_kd.engine.run_summary import (
    MAX_LOSSES,
    MAX_TEACHERS,
    compact,
    loss_rows,
    network_rows,
    resumption_rows,
)
from tests.distillers import tiny
from tests.engine import tiny_runs

SCREEN = 24


@pytest.fixture(scope="module")
def trained(
    digits_teacher: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], str, Path]:
    """Lines on the terminal of a run and of its resumption, the first log file, the folder."""
    work_dir = tmp_path_factory.mktemp("run")
    cfg = tiny_runs.config(digits_teacher, epochs=1)
    cfg.pop("console_log_level")
    terminal = io.StringIO()
    with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
        train(tiny_runs.single(cfg, work_dir))
    (file,) = work_dir.glob("*/*.log")
    return terminal.getvalue().splitlines(), file.read_text(), work_dir


def head(lines: list[str]) -> list[str]:
    first = next(place for place, line in enumerate(lines) if "Epoch(train)" in line)
    return lines[:first]


def test_the_head_of_a_run_is_a_screen(trained: tuple[list[str], str, Path]) -> None:
    lines, _, _ = trained

    assert 12 <= len(head(lines)) <= SCREEN, "\n".join(head(lines))
    assert any("Epoch(val)" in line for line in lines)
    assert not any("Exp name" in line for line in lines)


@pytest.mark.parametrize(
    "row",
    [
        ("student", "ImageClassifier(DigitsCNN), 1,030 parameters", "initialized"),
        ("teacher 0", "parameters, ImageClassifier(DigitsCNN) loaded from", "digits_teacher.pth"),
        ("training", "Digits, 100 images of 1x8x8, 10 classes, batches of 20"),
        ("validation", "Digits, 60 images of 1x8x8"),
        ("test", "Digits, 60 images of 1x8x8"),
        ("losses", "ce: 0.1 x TaskLoss"),
        ("kd: 0.9 x KDLoss(temperature=4)",),
        ("schedule", "1 epoch of 5 iterations, validation every epoch"),
        ("optimizer", "SGD(", "lr=0.2", "momentum=0.9"),
        ("scheduler", "CosineAnnealingLR("),
        ("device", "cpu, float32, seed 0"),
        ("writes to", "run"),
        ("log file", ".log"),
        ("Teacher 0 on the validation data: accuracy/top1 ",),
    ],
    ids=lambda row: row[0],
)
def test_the_head_names(row: tuple[str, ...], trained: tuple[list[str], str, Path]) -> None:
    lines = head(trained[0])

    assert any(all(words in line for words in row) for line in lines), "\n".join(lines)


def test_the_file_has_the_rest(trained: tuple[list[str], str, Path]) -> None:
    lines, log, _ = trained
    terminal = "\n".join(lines)

    for words in ("System environment", "train_dataloader", "before_train_iter", "SHA-256"):
        assert words in log
        assert words not in "\n".join(head(lines))
    for line in head(lines)[1:-1]:
        assert line in log
    assert "\x1b" not in terminal


def test_many_teachers_and_losses_are_counted() -> None:
    teachers = [SimpleNamespace(network=tiny.build(tiny.digits_cnn()), note="x")] * 9
    distiller = SimpleNamespace(student=tiny.build(tiny.digits_cnn()), notes=[], teachers=teachers)
    losses = {f"loss{place}": {"type": "KDLoss"} for place in range(9)}

    rows = network_rows(distiller)
    assert len(rows) == 1 + MAX_TEACHERS
    assert rows[-1][1] == "and 6 more teachers"
    assert len(loss_rows(losses)) == MAX_LOSSES
    assert loss_rows(losses)[-1][1] == "and 4 more losses"


def test_a_resumed_run_says_so() -> None:
    runner: Any = SimpleNamespace(epoch=3, iter=60, _load_from="run/epoch_3.pth")

    assert resumption_rows(runner) == [("resumed", "after 3 epochs, from run/epoch_3.pth")]
    assert resumption_rows(SimpleNamespace(iter=0)) == []


def test_a_config_in_a_few_words() -> None:
    weight = {"type": "cls_kd.modules.LinearWarmup", "until": 0.1, "value": 2.0}
    config = {"type": "cls_kd.losses.KDLoss", "temperature": 4.0, "weight": weight}

    assert loss_rows({"kd": config}) == [
        ("losses", "kd: LinearWarmup(until=0.1, value=2) x KDLoss(temperature=4)")
    ]
    assert compact({"betas": [0.9, 0.999], "type": "AdamW"}) == "AdamW(betas=[0.9, 0.999])"
