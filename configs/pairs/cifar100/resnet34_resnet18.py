"""CIFAR-100, ResNet-34 to ResNet-18, as in NKD (arXiv:2303.13005)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_nkd import *
    from ...networks.cifar_resnet18 import *
    from ...networks.cifar_resnet34 import *

teacher = dict(network=cifar_resnet34, weights="checkpoints/cifar100/resnet34.pth")
model.update(student=cifar_resnet18, teacher=teacher)
