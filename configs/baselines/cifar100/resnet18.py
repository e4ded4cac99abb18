"""CIFAR-100, ResNet-18 alone as in NKD (arXiv:2303.13005)."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_nkd import *
    from ...networks.cifar_resnet18 import *

model.update(student=cifar_resnet18)
model["losses"] = dict(ce=dict(type=TaskLoss))
