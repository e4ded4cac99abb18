"""CIFAR-100, ResNet-56 to ResNet-20, in the protocol of CRD (arXiv:1910.10699)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_resnet20 import *
    from ...networks.cifar_resnet56 import *

teacher = dict(network=cifar_resnet56, weights="checkpoints/cifar100/resnet56.pth")
model.update(student=cifar_resnet20, teacher=teacher)
