"""Optimizer wrappers of MMEngine's for optimizers that keep gradients apart."""

from cls_kd.engine.optim.separate import SeparateGradientsOptimWrapper

__all__ = ["SeparateGradientsOptimWrapper"]
