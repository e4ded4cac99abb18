"""``student_int8.onnx``: static 8-bit quantization by ONNX Runtime, calibrated on training images.

ONNX Runtime's quantizer is used because its files run wherever the other ONNX files run, and the
package is here already. (torchao quantizes PyTorch modules, convolutions only through PT2E graphs,
which stay in PyTorch.) Weights are symmetric with one scale a channel, activations have one scale a
tensor. Only convolutions and matrix products are quantized: they hold nearly all weights, and
normalization layers and attention's softmax lose accuracy in 8 bits (ours).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cls_kd.engine.export.images import LabelledImages
from cls_kd.engine.export.onnx_format import float32_model, onnx_predictor, save_onnx
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor
from cls_kd.errors import UserError

FILE = "student_int8.onnx"
OPERATORS = ("Conv", "Gemm", "MatMul")


def write_int8_onnx(task: ExportTask) -> Predictor:
    """Write the file; its predictions by ONNX Runtime.

    Raises:
        UserError: There are no images to calibrate with.
    """
    if task.images is None:
        raise UserError("onnx-int8 needs training images to calibrate the ranges of activations.")
    calibration = task.images.calibration_images()
    source = float32_model(task)
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, quantized = task.scratch / "prepared.onnx", task.scratch / "int8.onnx"
    with _quiet():
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(quantized),
            CalibrationBatches(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    save_onnx(task.student, onnx.load(quantized), task.output / FILE)
    return onnx_predictor(task.output / FILE)


class CalibrationBatches:
    """Images as ONNX Runtime's ``CalibrationDataReader`` gives them; its checks are duck-typed.

    Args:
        images: Batches of normalized images.
    """

    def __init__(self, images: LabelledImages) -> None:
        self._batches = ({"inputs": inputs.numpy()} for inputs, _ in images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, None at the end."""
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return self._batches


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the hints that ONNX Runtime's quantizer gives through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
