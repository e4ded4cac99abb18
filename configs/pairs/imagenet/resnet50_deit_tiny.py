"""ImageNet, ResNet50 to DeiT-T as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_tokens import *
    from ...networks.imagenet_deit_tiny import *

teacher = dict(network="timm:resnet50.a1_in1k", weights="pretrained")
model.update(student=imagenet_deit_tiny, teacher=teacher)
