"""Losses on tokens of vision transformers."""

from cls_kd.losses.vit.vitkd import ViTKDLoss

__all__ = ["ViTKDLoss"]
