"""ImageNet, Mixer-B/16 to DeiT-T as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_tokens import *
    from ...networks.imagenet_deit_tiny import *

teacher = dict(
    network="timm:mixer_b16_224.goog_in21k_ft_in1k", weights="pretrained", input_size=224
)
model.update(student=imagenet_deit_tiny, teacher=teacher)
