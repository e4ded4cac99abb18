"""ImageNet, ResNet-34 alone: 73.62 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_resnet import *
    from ...networks.imagenet_resnet34 import *

model.update(student=imagenet_resnet34)
model["losses"] = dict(ce=dict(type=TaskLoss))
