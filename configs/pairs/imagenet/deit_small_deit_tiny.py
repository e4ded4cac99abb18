"""ImageNet, DeiT-S to DeiT-Ti; the teacher is mmpretrain's (80.69)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_tiny import *

teacher = dict(network="deit-small_4xb256_in1k", weights="pretrained")
model.update(student=imagenet_deit_tiny, teacher=teacher)
