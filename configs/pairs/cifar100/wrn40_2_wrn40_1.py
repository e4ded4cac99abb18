"""CIFAR-100, WRN-40-2 to WRN-40-1, in the protocol of CRD (arXiv:1910.10699)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_wrn40_1 import *
    from ...networks.cifar_wrn40_2 import *

teacher = dict(network=cifar_wrn40_2, weights="checkpoints/cifar100/wrn40_2.pth")
model.update(student=cifar_wrn40_1, teacher=teacher)
