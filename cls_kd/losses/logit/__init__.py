"""Losses on logits."""

from cls_kd.losses.logit.dist import DISTLoss
from cls_kd.losses.logit.dkd import DKDLoss
from cls_kd.losses.logit.kd import KDLoss
from cls_kd.losses.logit.nkd import NKDLoss
from cls_kd.losses.logit.standardized import StandardizedLogitsLoss
from cls_kd.losses.logit.task import TaskLoss

__all__ = [
    "DISTLoss",
    "DKDLoss",
    "KDLoss",
    "NKDLoss",
    "StandardizedLogitsLoss",
    "TaskLoss",
]
