"""Losses by which a student teaches itself."""

from cls_kd.losses.self.confidence_penalty import ConfidencePenaltyLoss
from cls_kd.losses.self.cs_kd import CSKDLoss
from cls_kd.losses.self.dlb import DLBLoss
from cls_kd.losses.self.ipwd_self import IPWDSelfLoss
from cls_kd.losses.self.label_smoothing import LabelSmoothingLoss
from cls_kd.losses.self.ps_kd import PSKDLoss
from cls_kd.losses.self.tf_kd import TfKDRegularizationLoss
from cls_kd.losses.self.tf_nkd import TfNKDLoss
from cls_kd.losses.self.tsd import TSDLoss
from cls_kd.losses.self.uskd import USKDLoss
from cls_kd.losses.self.uskd_token import USKDTokenLoss

__all__ = [
    "CSKDLoss",
    "ConfidencePenaltyLoss",
    "DLBLoss",
    "IPWDSelfLoss",
    "LabelSmoothingLoss",
    "PSKDLoss",
    "TSDLoss",
    "TfKDRegularizationLoss",
    "TfNKDLoss",
    "USKDLoss",
    "USKDTokenLoss",
]
