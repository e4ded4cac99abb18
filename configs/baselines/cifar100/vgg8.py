"""CIFAR-100, VGG-8 alone in the protocol of CRD (arXiv:1910.10699): 70.36 there."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_vgg8 import *

model.update(student=cifar_vgg8)
model["losses"] = dict(ce=dict(type=TaskLoss))
