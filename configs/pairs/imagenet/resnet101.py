"""ImageNet, ResNet-101 with no teacher, for methods of self-distillation."""

from mmengine.config import read_base

with read_base():
    from ...baselines.imagenet.resnet101 import *
