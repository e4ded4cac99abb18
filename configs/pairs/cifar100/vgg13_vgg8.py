"""CIFAR-100, VGG-13 to VGG-8, in the protocol of CRD (arXiv:1910.10699)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_vgg8 import *
    from ...networks.cifar_vgg13 import *

teacher = dict(network=cifar_vgg13, weights="checkpoints/cifar100/vgg13.pth")
model.update(student=cifar_vgg8, teacher=teacher)
