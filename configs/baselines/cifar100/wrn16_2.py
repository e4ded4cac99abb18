"""CIFAR-100, WRN-16-2 alone in the protocol of CRD (arXiv:1910.10699): 73.26 there."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_wrn16_2 import *

model.update(student=cifar_wrn16_2)
model["losses"] = dict(ce=dict(type=TaskLoss))
