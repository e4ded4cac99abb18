"""Losses on feature maps."""

from cls_kd.losses.feature.at import ATLoss
from cls_kd.losses.feature.fitnet import FitNetLoss
from cls_kd.losses.feature.mgd import MGDLoss
from cls_kd.losses.feature.srrl import SRRLLoss

__all__ = ["ATLoss", "FitNetLoss", "MGDLoss", "SRRLLoss"]
