"""ImageNet, DeiT III-B to DeiT-S; the teacher is mmpretrain's (85.70)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_small import *

teacher = dict(network="deit3-base-p16_in21k-pre_3rdparty_in1k", weights="pretrained")
model.update(student=imagenet_deit_small, teacher=teacher)
