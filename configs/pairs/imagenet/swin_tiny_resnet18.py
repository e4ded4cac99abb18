"""ImageNet, Swin-T to ResNet18 as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_cnn import *
    from ...networks.imagenet_resnet18 import *

teacher = dict(
    network="timm:swin_tiny_patch4_window7_224.ms_in1k", weights="pretrained", input_size=224
)
imagenet_resnet18["head"].update(loss=smoothed)
model.update(student=imagenet_resnet18, teacher=teacher)
