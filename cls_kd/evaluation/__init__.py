"""Measures beyond accuracy."""

from cls_kd.evaluation.branches import PeerAccuracy
from cls_kd.evaluation.calibration_metric import CalibrationError
from cls_kd.evaluation.probes import KNNProbe, LinearProbe

__all__ = ["CalibrationError", "KNNProbe", "LinearProbe", "PeerAccuracy"]
