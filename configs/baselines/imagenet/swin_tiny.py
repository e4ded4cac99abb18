"""ImageNet, Swin-T alone: 81.18 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_swin import *
    from ...networks.imagenet_swin_tiny import *

model.update(student=imagenet_swin_tiny)
model["losses"] = dict(ce=dict(type=TaskLoss))
