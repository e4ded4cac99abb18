"""ImageNet, ConvNeXt-T to ResMLP-S12 as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_tokens import *
    from ...networks.imagenet_resmlp_s12 import *

teacher = dict(network="timm:convnext_tiny.fb_in1k", weights="pretrained")
model.update(student=imagenet_resmlp_s12, teacher=teacher)
