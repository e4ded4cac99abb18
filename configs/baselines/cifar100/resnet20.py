"""CIFAR-100, ResNet-20 alone in the protocol of CRD (arXiv:1910.10699): 69.06 there."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_resnet20 import *

model.update(student=cifar_resnet20)
model["losses"] = dict(ce=dict(type=TaskLoss))
