"""ImageNet, ResNet-50 to MobileNetV1 as in mdistiller's line; torchvision's teacher (76.13)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_torchvision import *
    from ...networks.imagenet_mobilenet_v1_torch import *

teacher = dict(network="timm:resnet50.tv_in1k", weights="pretrained")
model.update(student=imagenet_mobilenet_v1_torch, teacher=teacher)
