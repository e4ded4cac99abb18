"""ImageNet, BEiTv2-B to ResNet-50 by vanilla KD's A2; the teacher is mmpretrain's (86.47)."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_rsb_a2 import *
    from ...networks.imagenet_resnet50 import *

teacher = dict(
    network="beit-base-p16_beitv2-in21k-pre_3rdparty_in1k", weights="pretrained", input_size=224
)
imagenet_resnet50["backbone"].update(drop_path_rate=0.05)
imagenet_resnet50["head"].update(loss=binary)
model.update(student=imagenet_resnet50, teacher=teacher)
