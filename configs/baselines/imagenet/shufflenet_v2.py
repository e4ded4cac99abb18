"""ImageNet, ShuffleNetV2 alone: 69.55 published by mmpretrain."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_shufflenet_v2 import *
    from ...networks.imagenet_shufflenet_v2 import *

model.update(student=imagenet_shufflenet_v2)
model["losses"] = dict(ce=dict(type=TaskLoss))
