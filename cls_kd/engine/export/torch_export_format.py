"""``student.pt2``: PyTorch's exported program, which runs with torch alone."""

from __future__ import annotations

import json

import torch

from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe

FILE, METADATA = "student.pt2", "student.json"


def write_torch_export(task: ExportTask) -> Predictor:
    """Write the file; the module that PyTorch reads from it.

    Raises:
        UserError: PyTorch cannot capture the network as a graph.
    """
    student, file = task.student, task.output / FILE
    try:
        program = torch.export.export(
            student.network,
            (student.inputs(2),),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    except Exception as error:
        # Tracing runs the network's own code: anything can go wrong there.
        raise UserError(
            f"torch-export: PyTorch cannot capture {describe(student.network)} as a graph: "
            f"{(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from error
    torch.export.save(program, file, extra_files={METADATA: json.dumps(student.metadata())})
    return torch.export.load(file).module()
