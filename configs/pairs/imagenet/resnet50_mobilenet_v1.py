"""ImageNet, ResNet-50 to MobileNetV1; the teacher is mmpretrain's (76.55)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_resnet import *
    from ...networks.imagenet_mobilenet_v1 import *

teacher = dict(network="resnet50_8xb32_in1k", weights="pretrained")
model.update(student=imagenet_mobilenet_v1, teacher=teacher)
