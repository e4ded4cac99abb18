"""ImageNet, DeiT III-S to DeiT-Ti; the teacher is mmpretrain's (83.06)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_tiny import *

teacher = dict(network="deit3-small-p16_in21k-pre_3rdparty_in1k", weights="pretrained")
model.update(student=imagenet_deit_tiny, teacher=teacher)
