"""ImageNet, ResNet-34 to ResNet-18 as in mdistiller's line; torchvision's teacher (73.31)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_torchvision import *
    from ...networks.imagenet_resnet18_torchvision import *

teacher = dict(network="timm:resnet34.tv_in1k", weights="pretrained")
model.update(student=imagenet_resnet18_torchvision, teacher=teacher)
