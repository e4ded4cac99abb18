"""CIFAR-100, MobileNetV2 alone in the protocol of CRD (arXiv:1910.10699): 64.60 there."""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_mobilenet_v2 import *

model.update(student=cifar_mobilenet_v2)
model["losses"] = dict(ce=dict(type=TaskLoss))
optim_wrapper["optimizer"].update(lr=0.01)
