"""ImageNet, DeiT-Ti alone: 74.42 in ViTKD's table (arXiv:2209.02432)."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_tiny import *

model.update(student=imagenet_deit_tiny)
model["losses"] = dict(ce=dict(type=TaskLoss))
