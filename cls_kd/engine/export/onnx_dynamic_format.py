"""``student_dynamic.onnx``: images of any height and width, where the network allows it."""

from __future__ import annotations

import torch
from torch.export import Dim

from cls_kd.engine.export.onnx_format import check_packages, export_onnx, onnx_predictor
from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import TOLERANCE, Predictor, largest_difference
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe

FILE = "student_dynamic.onnx"


def write_dynamic_onnx(task: ExportTask) -> Predictor:
    """Write the file; its predictions by ONNX Runtime.

    PyTorch's exporter may silently fix a size that the network computes with in Python (position
    embeddings, windows). So other sizes are tried on both sides.

    Raises:
        UserError: The network, or its graph, takes images of one size only.
    """
    student, file = task.student, task.output / FILE
    height, width = student.shape[1:]
    sizes = [(2 * height, width), (height, 3 * width)]
    check_packages()
    _check_network(student, sizes)
    try:
        export_onnx(student, file, {0: Dim("batch"), 2: Dim("height"), 3: Dim("width")})
        predictor = onnx_predictor(file)
        largest_difference(student, predictor, TOLERANCE, sizes)
    except Exception as error:
        # ONNX Runtime's errors have no common class that is public.
        raise UserError(
            f"onnx-dynamic: PyTorch's exporter makes no graph of {describe(student.network)} that "
            f"is right at other sizes than {height} x {width}, usually because the network "
            "computes with the size in Python (position embeddings, windows). Use the format onnx, "
            f"for this size. The exporter, or the check at other sizes: {_first_line(error)}"
        ) from error
    return predictor


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check_network(student: Student, sizes: list[tuple[int, int]]) -> None:
    for size in sizes:
        try:
            with torch.no_grad():
                student.network(student.inputs(1, size))
        except Exception as error:
            # A network may raise anything at an image that it was not made for.
            raise UserError(
                f"onnx-dynamic: {describe(student.network)} takes images of {student.shape[1]} x "
                f"{student.shape[2]} only; at {size[0]} x {size[1]} PyTorch says: "
                f"{_first_line(error)} Use the format onnx, for this size."
            ) from error
