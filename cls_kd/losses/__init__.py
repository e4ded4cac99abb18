"""Losses: one file a method. Importing this package registers all of them."""

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.feature import ATLoss, FitNetLoss, SRRLLoss
from cls_kd.losses.logit import (
    DISTLoss,
    DKDLoss,
    KDLoss,
    NKDLoss,
    StandardizedLogitsLoss,
    TaskLoss,
)
from cls_kd.losses.relation import CRDLoss, RKDLoss

__all__ = [
    "ATLoss",
    "CRDLoss",
    "DISTLoss",
    "DKDLoss",
    "DistillLoss",
    "FitNetLoss",
    "KDLoss",
    "NKDLoss",
    "RKDLoss",
    "SRRLLoss",
    "StandardizedLogitsLoss",
    "TaskLoss",
]
