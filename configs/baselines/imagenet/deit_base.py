"""ImageNet, DeiT-B alone: 81.76 published by mmpretrain."""

from mmengine.config import read_base
from mmpretrain.engine import EMAHook

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_base import *

model.update(student=imagenet_deit_base)
model["losses"] = dict(ce=dict(type=TaskLoss))
train_dataloader.update(batch_size=64)  # 16 GPUs
custom_hooks = [dict(type=EMAHook, momentum=4e-5, priority="ABOVE_NORMAL")]
