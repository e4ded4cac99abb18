"""ImageNet, MobileNetV1 alone: 69.21 in NKD's table (arXiv:2303.13005)."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_resnet import *
    from ...networks.imagenet_mobilenet_v1 import *

model.update(student=imagenet_mobilenet_v1)
model["losses"] = dict(ce=dict(type=TaskLoss))
