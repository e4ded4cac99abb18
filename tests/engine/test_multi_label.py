"""Images with several labels: a training with KD of each class, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from PIL import Image

from cls_kd.data import Digits
from cls_kd.engine import train
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from tests.engine import tiny_runs

HEAD = {
    "_delete_": True,
    "type": "mmpretrain.models.MultiLabelLinearClsHead",
    "num_classes": 10,
    "in_channels": 8,
}
PIPELINE = [
    {"type": "mmcv.transforms.LoadImageFromFile", "color_type": "grayscale"},
    {"type": "mmpretrain.datasets.transforms.PackInputs"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 digits; the labels are the digit, and 9 of those above 4."""
    place = tmp_path_factory.mktemp("several")
    items = []
    for index, item in enumerate(Digits("train", labelled=60)):
        Image.fromarray(item["img"][..., 0]).save(place / f"{index}.png")
        digit = item["gt_label"]
        labels = [digit, 9] if 4 < digit < 9 else [digit]
        items.append({"img_path": f"{index}.png", "gt_label": labels})
    classes = [str(digit) for digit in range(10)]
    content = {"metainfo": {"classes": classes}, "data_list": items}
    (place / "labels.json").write_text(json.dumps(content))
    return place


def config(folder: Path, teacher: Path | None, **losses: Any) -> Config:
    data = {
        "_delete_": True,
        "type": "mmpretrain.datasets.MultiLabelDataset",
        "ann_file": str(folder / "labels.json"),
        "data_root": str(folder),
        "pipeline": PIPELINE,
    }
    metric = {
        "_delete_": True,
        "type": "mmpretrain.evaluation.MultiLabelMetric",
        "average": "macro",
    }
    cfg = tiny_runs.config(teacher, epochs=1)
    cfg.merge_from_dict(
        {
            "model.student.head": HEAD,
            "model.losses": {
                "_delete_": True,
                "ce": {"type": "cls_kd.losses.TaskLoss"},
                **losses,
            },
            "train_dataloader.dataset": {**data},
            "val_dataloader.dataset": {**data, "test_mode": True},
            "test_dataloader.dataset": {**data, "test_mode": True},
            "val_evaluator": {**metric},
            "test_evaluator": {**metric},
        }
    )
    if teacher:
        cfg.model.teacher.network.head.type = "mmpretrain.models.MultiLabelLinearClsHead"
    return cfg


def test_a_training_of_several_labels(folder: Path, digits_teacher: Path, tmp_path: Path) -> None:
    kd = {"type": "cls_kd.losses.MultiLabelKDLoss"}
    embedding = {"type": "cls_kd.losses.EmbeddingRegressionLoss"}
    cfg = config(folder, digits_teacher, kd=kd, embedding=embedding)
    result = train(tiny_runs.single(cfg, tmp_path))
    (entry,) = result["train"]
    assert {"ce.loss", "kd.loss", "embedding.loss"} <= set(entry)
    assert all(value > 0 for value in entry.values())
    assert "multi-label/f1-score" in result["test"]
    assert "multi-label/f1-score" in result["teacher"]["0"]


@pytest.mark.parametrize(("name", "asked"), [("KDLoss", "student_logits"), ("NKDLoss", "labels")])
def test_losses_of_one_class_are_refused(
    name: str, asked: str, folder: Path, digits_teacher: Path
) -> None:
    cfg = config(folder, digits_teacher, kd={"type": f"cls_kd.losses.{name}"})
    with pytest.raises(UserError) as refused:
        build_parts(cfg)
    message = str(refused.value)
    assert "The student has a MultiLabelLinearClsHead, for several labels an image, and" in message
    assert f"the loss 'kd' ({name}) asks for {asked!r} as of one class an image" in message
    assert "make sense there: LogitMSELoss, MultiLabelKDLoss, TaskLoss; and all" in message


def test_labels_out_of_range(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "labels.json").read_text())
    content["data_list"][3]["gt_label"] = [2, 10]
    (tmp_path / "labels.json").write_text(json.dumps(content))
    cfg = config(folder, None)
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / "labels.json")
    with pytest.raises(UserError, match="the train data set has labels from 0 to 10"):
        build_parts(cfg)
