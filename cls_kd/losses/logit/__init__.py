"""Losses on logits."""

from cls_kd.losses.logit.cwtm import CWTMLoss
from cls_kd.losses.logit.dist import DISTLoss
from cls_kd.losses.logit.dkd import DKDLoss
from cls_kd.losses.logit.dkpp import DKPPLoss
from cls_kd.losses.logit.ipwd import IPWDLoss
from cls_kd.losses.logit.kd import KDLoss
from cls_kd.losses.logit.nkd import NKDLoss
from cls_kd.losses.logit.standardized import StandardizedLogitsLoss
from cls_kd.losses.logit.task import TaskLoss
from cls_kd.losses.logit.wsld import WSLDLoss

__all__ = [
    "CWTMLoss",
    "DISTLoss",
    "DKDLoss",
    "DKPPLoss",
    "IPWDLoss",
    "KDLoss",
    "NKDLoss",
    "StandardizedLogitsLoss",
    "TaskLoss",
    "WSLDLoss",
]
