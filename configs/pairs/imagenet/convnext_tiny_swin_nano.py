"""ImageNet, ConvNeXt-T to Swin-N as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_tokens import *
    from ...networks.imagenet_swin_nano import *

teacher = dict(network="timm:convnext_tiny.fb_in1k", weights="pretrained")
model.update(student=imagenet_swin_nano, teacher=teacher)
