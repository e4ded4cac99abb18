"""``student.onnx``: normalized ``inputs`` (batch, C, H, W) to ``logits`` (batch, K), in float32."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor
from cls_kd.errors import UserError
from cls_kd.packages import require
from cls_kd.signals.heads import describe

FILE = "student.onnx"
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def write_onnx(task: ExportTask) -> Predictor:
    """Write the file; its predictions by ONNX Runtime."""
    shutil.copyfile(float32_model(task), task.output / FILE)
    return onnx_predictor(task.output / FILE)


def float32_model(task: ExportTask) -> Path:
    """The student as ONNX in the scratch folder, made at the first call.

    Raises:
        UserError: See ``export_onnx``.
    """
    file = task.scratch / "float32.onnx"
    if not file.is_file():
        export_onnx(task.student, file, {0: torch.export.Dim("batch")})
    return file


def export_onnx(student: Student, file: Path, dynamic: Mapping[int, Any]) -> None:
    """Write a student as ONNX, with the metadata that its user needs.

    Args:
        student: What is exported.
        file: Where to.
        dynamic: Axes of the inputs that may have any length, as ``torch.onnx.export`` takes them.

    Raises:
        UserError: A package is missing, or PyTorch cannot export the network.
    """
    check_packages()
    import onnx

    try:
        # Two images: an axis of one may be taken for a constant.
        torch.onnx.export(
            student.network,
            (student.inputs(2),),
            file,
            dynamo=True,
            input_names=["inputs"],
            output_names=[student.output],
            dynamic_shapes=(dict(dynamic),),
            external_data=False,
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise UserError(
            f"PyTorch cannot export {describe(student.network)} to ONNX: "
            f"{str(error.__cause__ or error).strip().splitlines()[0]}"
        ) from error
    save_onnx(student, onnx.load(file), file)


def save_onnx(student: Student, model: Any, file: Path) -> None:
    """Write an ONNX model with the student's metadata."""
    import onnx

    onnx.helper.set_model_props(model, student.metadata())
    onnx.checker.check_model(model)
    onnx.save(model, file)


def onnx_predictor(file: Path) -> Predictor:
    """An ONNX file's predictions by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def predict(inputs: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"inputs": inputs.numpy()})[0])

    return predict


def check_packages() -> None:
    """Refuse an export to ONNX whose packages are not installed.

    Raises:
        UserError: Says what to install.
    """
    require(
        *_PACKAGES,
        by="ONNX export",
        install="'cls_kd[export]'",
        otherwise="--formats mmpretrain safetensors needs none.",
    )
