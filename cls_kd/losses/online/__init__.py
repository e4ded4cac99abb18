"""Losses of networks or branches that are trained together, without a finished teacher."""

from cls_kd.losses.online.classifier_diversity import ClassifierDiversityLoss
from cls_kd.losses.online.dml import DMLLoss
from cls_kd.losses.online.ensemble import EnsembleDistillationLoss
from cls_kd.losses.online.kdcl import KDCLLoss
from cls_kd.losses.online.task import EnsembleTaskLoss, PeerTaskLoss

__all__ = [
    "ClassifierDiversityLoss",
    "DMLLoss",
    "EnsembleDistillationLoss",
    "EnsembleTaskLoss",
    "KDCLLoss",
    "PeerTaskLoss",
]
