"""CIFAR-100, ResNet32x4 to ShuffleNetV2, in the protocol of CRD (arXiv:1910.10699)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.cifar100_crd import *
    from ...networks.cifar_resnet32x4 import *
    from ...networks.cifar_shufflenet_v2 import *

teacher = dict(network=cifar_resnet32x4, weights="checkpoints/cifar100/resnet32x4.pth")
model.update(student=cifar_shufflenet_v2, teacher=teacher)
optim_wrapper["optimizer"].update(lr=0.01)
