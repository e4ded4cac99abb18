"""ImageNet, ResNet-34 to ResNet-18; the teacher is mmpretrain's (73.62)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_resnet import *
    from ...networks.imagenet_resnet18 import *

teacher = dict(network="resnet34_8xb32_in1k", weights="pretrained")
model.update(student=imagenet_resnet18, teacher=teacher)
