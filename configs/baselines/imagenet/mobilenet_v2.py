"""ImageNet, MobileNetV2 alone: 71.86 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_mobilenet_v2 import *
    from ...networks.imagenet_mobilenet_v2 import *

model.update(student=imagenet_mobilenet_v2)
model["losses"] = dict(ce=dict(type=TaskLoss))
