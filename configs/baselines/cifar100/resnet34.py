"""CIFAR-100, ResNet-34 alone as in NKD (arXiv:2303.13005), where it teaches."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_nkd import *
    from ...networks.cifar_resnet34 import *

model.update(student=cifar_resnet34)
model["losses"] = dict(ce=dict(type=TaskLoss))
