"""ImageNet, Swin-T to ResMLP-S12 as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_tokens import *
    from ...networks.imagenet_resmlp_s12 import *

teacher = dict(
    network="timm:swin_tiny_patch4_window7_224.ms_in1k", weights="pretrained", input_size=224
)
model.update(student=imagenet_resmlp_s12, teacher=teacher)
