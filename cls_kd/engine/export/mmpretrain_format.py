"""``student.pth`` and ``student_config.py``, for mmpretrain's ``get_model`` and inferencer."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import torch
from mmengine.config import Config
from mmpretrain import get_model

from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor

WEIGHTS, CONFIG = "student.pth", "student_config.py"


def write_mmpretrain(task: ExportTask) -> Predictor:
    """Write both files; what mmpretrain builds from them."""
    student, weights, config = task.student, task.output / WEIGHTS, task.output / CONFIG
    meta = {"dataset_meta": {"classes": student.classes}} if student.classes else {}
    torch.save({"state_dict": student.network.state_dict(), "meta": meta}, weights)
    config.write_text(_header(student) + Config(_config(student)).pretty_text)
    with redirect_stdout(io.StringIO()):
        return get_model(str(config), pretrained=str(weights))


def _config(student: Student) -> dict[str, Any]:
    parts: dict[str, Any] = {"model": student.config}
    if student.mean:
        parts["data_preprocessor"] = {
            "mean": student.mean,
            "std": student.std,
            "to_rgb": student.to_rgb,
        }
    if student.pipeline:
        # The inferencer reads the pipeline. Without class names in the checkpoint, mmpretrain asks
        # the data set's type for them: this one has none.
        parts["test_dataloader"] = {
            "dataset": {"type": "CustomDataset", "pipeline": student.pipeline}
        }
    if student.foreign:
        imports = {"imports": student.foreign, "allow_failed_imports": False}
        parts["custom_imports"] = imports
    return parts


def _header(student: Student) -> str:
    lines = [
        f"# mmpretrain.get_model({CONFIG!r}, pretrained={WEIGHTS!r})",
        f"# Images of shape {student.shape}, normalized by the data_preprocessor.",
    ]
    if student.foreign:
        lines.append(f"# Needs, besides mmpretrain: {', '.join(student.foreign)}.")
    return "\n".join(lines) + "\n"
