"""Measures beyond accuracy."""

from cls_kd.evaluation.branches import PeerAccuracy
from cls_kd.evaluation.calibration_metric import CalibrationError

__all__ = ["CalibrationError", "PeerAccuracy"]
