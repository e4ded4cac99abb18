"""A teacher of ten digits at twice the resolution teaches three of them, through the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from cls_kd.analyses.finished_runs import FinishedRun
from cls_kd.data import Digits
from cls_kd.engine.evaluate import evaluate_teachers
from cls_kd.engine.train import build_distiller, train
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from tests.engine import tiny_runs

ONLY = [3, 7, 1]
SIZE = 16


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as MMEngine writes it: with the names of the classes."""
    torch.manual_seed(0)
    network = MODELS.build(tiny_runs.TEACHER)
    meta = {"dataset_meta": Digits.METAINFO}
    path = tmp_path_factory.mktemp("teacher") / "teacher.pth"
    torch.save({"state_dict": network.state_dict(), "meta": meta}, path)
    return path


def config(teacher: Path, **options: Any) -> Config:
    loaders = ("train_dataloader", "val_dataloader", "test_dataloader")
    return tiny_runs.config(
        teacher,
        epochs=1,
        model__student__head__num_classes=3,
        train_dataloader__dataset__labelled=60,
        **{f"{loader}__dataset__only": ONLY for loader in loaders},
        **options,
    )


@pytest.fixture(scope="module")
def finished(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    run = tiny_runs.single(
        config(teacher, model__teacher__input_size=SIZE), tmp_path_factory.mktemp("work")
    )
    train(run)
    return FinishedRun(run)


def logits(finished: FinishedRun) -> torch.Tensor:
    """Of the teacher's own network: at its size, of the classes that the student has."""
    one = finished.distiller.teachers[0]
    (data,) = finished.loader("val")
    images = finished.distiller.data_preprocessor(data)["inputs"]
    large = F.interpolate(images, (SIZE, SIZE), mode="bicubic", antialias=True)
    with torch.no_grad():
        return one.network(large)[:, ONLY]


def test_it_is_measured_before_the_training(finished: FinishedRun) -> None:
    labels = torch.as_tensor(finished.loader("val").dataset.get_gt_labels())
    right = (logits(finished).argmax(1) == labels).float().mean()
    metric = finished.result["teacher"]["0"]["accuracy/top1"]
    assert metric == pytest.approx(100 * float(right), abs=1e-3)
    (tested,) = evaluate_teachers(finished.cfg, None, "val")
    assert tested.metrics["accuracy/top1"] == pytest.approx(metric, abs=1e-3)
    assert "Of its 10 classes, 3 are the student's" in tested.note


def test_an_analysis_sees_the_same_logits(finished: FinishedRun) -> None:
    seen = finished.signals("val", ["teacher_logits"])["teacher_logits"]
    assert torch.allclose(seen, logits(finished), atol=1e-5)


def test_a_test_of_a_teacher_without_names_is_refused(teacher: Path, tmp_path: Path) -> None:
    """Its predictions would be of other classes than the labels."""
    bare = tmp_path / "bare.pth"
    torch.save(MODELS.build(tiny_runs.TEACHER).state_dict(), bare)
    cfg = tiny_runs.single(config(bare), tmp_path / "work").resolved()
    with pytest.raises(UserError, match="has 10 classes, the student has 3"):
        evaluate_teachers(cfg, None, "val")
    with pytest.raises(UserError, match="has 10 classes, the student has 3"):
        build_distiller(cfg, FinishedRun(tiny_runs.single(cfg, tmp_path / "work")).loader("train"))
