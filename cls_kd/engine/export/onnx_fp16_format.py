"""``student_fp16.onnx``: weights and computation in half precision, inputs and logits in float32.

The conversion is ONNX Runtime's. Its CPU provider computes most operators in float32 after a cast;
files of half the size are the gain there, speed the gain on a GPU.
"""

from __future__ import annotations

from cls_kd.engine.export.onnx_format import float32_model, onnx_predictor, save_onnx
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor

FILE = "student_fp16.onnx"


def write_fp16_onnx(task: ExportTask) -> Predictor:
    """Write the file; its predictions by ONNX Runtime."""
    source = float32_model(task)
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = OnnxModel(convert_float_to_float16(onnx.load(source), keep_io_types=True))
    # The converter appends its casts; ONNX wants each node after what it reads.
    model.topological_sort()
    save_onnx(task.student, model.model, task.output / FILE)
    return onnx_predictor(task.output / FILE)
