"""The formats, by the names that ``--formats`` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cls_kd.engine.export import (
    mmpretrain_format,
    onnx_dynamic_format,
    onnx_format,
    onnx_fp16_format,
    onnx_int8_format,
    safetensors_format,
    snippets,
    timm_format,
    torch_export_format,
)
from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import TOLERANCE, Predictor


@dataclass(frozen=True)
class Format:
    """Functions that write, check and describe the use of a format.

    Attributes:
        files: What it writes; the first holds the weights.
        write: Writes, and gives what reads the file back and predicts with it.
        tolerance: How far its logits may be from the student's: 0 for the same bits. None for a
            format that rounds weights, which is measured on images instead.
        snippet: Python for its user, after the snippet that makes ``inputs``.
    """

    files: tuple[str, ...]
    write: Callable[[ExportTask], Predictor]
    tolerance: float | None
    snippet: Callable[[Student, str], str]


FORMATS = {
    "mmpretrain": Format(
        (mmpretrain_format.WEIGHTS, mmpretrain_format.CONFIG),
        mmpretrain_format.write_mmpretrain,
        0.0,
        snippets.mmpretrain,
    ),
    "safetensors": Format(
        (safetensors_format.FILE,),
        safetensors_format.write_safetensors,
        0.0,
        snippets.safetensors,
    ),
    "onnx": Format((onnx_format.FILE,), onnx_format.write_onnx, TOLERANCE, snippets.onnx),
    "onnx-dynamic": Format(
        (onnx_dynamic_format.FILE,),
        onnx_dynamic_format.write_dynamic_onnx,
        TOLERANCE,
        snippets.onnx,
    ),
    "onnx-fp16": Format(
        (onnx_fp16_format.FILE,), onnx_fp16_format.write_fp16_onnx, None, snippets.onnx
    ),
    "onnx-int8": Format(
        (onnx_int8_format.FILE,), onnx_int8_format.write_int8_onnx, None, snippets.onnx
    ),
    "timm": Format(
        (timm_format.WEIGHTS, timm_format.CONFIG),
        timm_format.write_timm,
        timm_format.TOLERANCE,
        snippets.timm_folder,
    ),
    "torch-export": Format(
        (torch_export_format.FILE,),
        torch_export_format.write_torch_export,
        TOLERANCE,
        snippets.torch_export,
    ),
}
DEFAULT_FORMATS = ("mmpretrain", "safetensors", "onnx")
BACKBONE_FORMATS = ("timm", "onnx")
