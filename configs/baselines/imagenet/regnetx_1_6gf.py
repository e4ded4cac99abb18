"""ImageNet, RegNetX-1.6GF alone: 76.84 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_regnet import *
    from ...networks.imagenet_regnetx_1_6gf import *

model.update(student=imagenet_regnetx_1_6gf)
model["losses"] = dict(ce=dict(type=TaskLoss))
