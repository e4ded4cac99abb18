"""ImageNet, DeiT-S alone: 80.55 in ViTKD's table (arXiv:2209.02432)."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_small import *

model.update(student=imagenet_deit_small)
model["losses"] = dict(ce=dict(type=TaskLoss))
