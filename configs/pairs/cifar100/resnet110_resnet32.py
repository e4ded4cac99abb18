"""CIFAR-100, ResNet-110 to ResNet-32, in the protocol of CRD (arXiv:1910.10699)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_resnet32 import *
    from ...networks.cifar_resnet110 import *

teacher = dict(network=cifar_resnet110, weights="checkpoints/cifar100/resnet110.pth")
model.update(student=cifar_resnet32, teacher=teacher)
