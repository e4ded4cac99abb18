"""ImageNet, DeiT-T to MobileNetV2 as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_cnn import *
    from ...networks.imagenet_mobilenet_v2 import *

teacher = dict(network="timm:deit_tiny_patch16_224.fb_in1k", weights="pretrained", input_size=224)
imagenet_mobilenet_v2["head"].update(loss=smoothed)
model.update(student=imagenet_mobilenet_v2, teacher=teacher)
