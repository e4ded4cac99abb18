"""Optimizers that keep the gradients of several terms apart, on PyTorch alone."""

from cls_kd.optimizers.deepkd import DeepKD
from cls_kd.optimizers.dot import DOT
from cls_kd.optimizers.separate import SeparateGradients

__all__ = ["DOT", "DeepKD", "SeparateGradients"]
