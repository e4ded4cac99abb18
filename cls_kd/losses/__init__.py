"""Losses: one file a method. Importing this package registers all of them."""

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.feature import ATLoss, FitNetLoss, MGDLoss, SRRLLoss
from cls_kd.losses.logit import (
    CWTMLoss,
    DISTLoss,
    DKDLoss,
    DKPPLoss,
    IPWDLoss,
    KDLoss,
    NKDLoss,
    StandardizedLogitsLoss,
    TaskLoss,
    WSLDLoss,
)
from cls_kd.losses.online import (
    ClassifierDiversityLoss,
    DMLLoss,
    EnsembleDistillationLoss,
    EnsembleTaskLoss,
    KDCLLoss,
    PeerTaskLoss,
)
from cls_kd.losses.relation import CRDLoss, RKDLoss
from cls_kd.losses.self import (
    ConfidencePenaltyLoss,
    CSKDLoss,
    DLBLoss,
    IPWDSelfLoss,
    LabelSmoothingLoss,
    PSKDLoss,
    TfKDRegularizationLoss,
    TfNKDLoss,
    TSDLoss,
    USKDLoss,
    USKDTokenLoss,
)
from cls_kd.losses.vit import ViTKDLoss

__all__ = [
    "ATLoss",
    "CRDLoss",
    "CSKDLoss",
    "CWTMLoss",
    "ClassifierDiversityLoss",
    "ConfidencePenaltyLoss",
    "DISTLoss",
    "DKDLoss",
    "DKPPLoss",
    "DLBLoss",
    "DMLLoss",
    "DistillLoss",
    "EnsembleDistillationLoss",
    "EnsembleTaskLoss",
    "FitNetLoss",
    "IPWDLoss",
    "IPWDSelfLoss",
    "KDCLLoss",
    "KDLoss",
    "LabelSmoothingLoss",
    "MGDLoss",
    "NKDLoss",
    "PSKDLoss",
    "PeerTaskLoss",
    "RKDLoss",
    "SRRLLoss",
    "StandardizedLogitsLoss",
    "TSDLoss",
    "TaskLoss",
    "TfKDRegularizationLoss",
    "TfNKDLoss",
    "USKDLoss",
    "USKDTokenLoss",
    "ViTKDLoss",
    "WSLDLoss",
]
