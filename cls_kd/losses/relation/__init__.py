"""Losses on relations between samples."""

from cls_kd.losses.relation.crd import CRDLoss
from cls_kd.losses.relation.rkd import RKDLoss

__all__ = ["CRDLoss", "RKDLoss"]
