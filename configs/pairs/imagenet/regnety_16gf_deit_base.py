"""ImageNet, RegNetY-16GF to DeiT-B; the teacher is DeiT's own (82.9), from timm."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_base import *

teacher = dict(network="timm:regnety_160.deit_in1k", weights="pretrained")
model.update(student=imagenet_deit_base, teacher=teacher)
