"""CIFAR-100, WRN-40-2 alone in the protocol of CRD (arXiv:1910.10699): 75.61 there."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_wrn40_2 import *

model.update(student=cifar_wrn40_2)
model["losses"] = dict(ce=dict(type=TaskLoss))
