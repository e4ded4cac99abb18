"""ImageNet, ResNet-50 with no teacher, for methods of self-distillation."""

from mmengine.config import read_base

with read_base():
    from ...baselines.imagenet.resnet50 import *
