"""``model.safetensors`` and ``config.json``: a folder that timm reads by its path."""

from __future__ import annotations

from typing import Any

from mmpretrain.models import TimmClassifier

from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor
from cls_kd.errors import UserError
from cls_kd.signals.feature_info import is_timm
from cls_kd.signals.heads import describe

WEIGHTS, CONFIG = "model.safetensors", "config.json"
TOLERANCE = 1e-5
"""Of what timm's network gives, absolute and relative."""


def write_timm(task: ExportTask) -> Predictor:
    """Write both files; the network that timm makes of them.

    Raises:
        UserError: The student is no network of timm's.
    """
    import timm
    from timm.models import save_for_hf

    network: Any = task.student.network
    network = network.model if isinstance(network, TimmClassifier) else network
    if not is_timm(network):
        raise UserError(
            f"--formats timm: {describe(network)} is no network of timm's, as "
            "dict(type=TimmClassifier, model_name='resnet50', num_classes=...) is."
        )
    save_for_hf(network, str(task.output), safe_serialization=True, data_config=_data(task.student))
    return timm.create_model(f"local-dir:{task.output}", pretrained=True).eval()


def _data(student: Student) -> dict[str, Any]:
    """Size and normalization for ``timm.data``, which takes images from 0 to 1."""
    data: dict[str, Any] = {"input_size": student.shape}
    if student.mean:
        order = slice(None, None, -1) if student.channel_order == "bgr" else slice(None)
        data["mean"] = tuple(value / 255 for value in student.mean[order])
        data["std"] = tuple(value / 255 for value in student.std[order])
    return data
