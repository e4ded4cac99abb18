"""ImageNet, ResNet-18 alone: 69.90 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_resnet import *
    from ...networks.imagenet_resnet18 import *

model.update(student=imagenet_resnet18)
model["losses"] = dict(ce=dict(type=TaskLoss))
