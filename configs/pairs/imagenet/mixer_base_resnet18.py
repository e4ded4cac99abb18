"""ImageNet, Mixer-B/16 to ResNet18 as in OFA's experiments; the teacher is timm's."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_ofa_cnn import *
    from ...networks.imagenet_resnet18 import *

teacher = dict(
    network="timm:mixer_b16_224.goog_in21k_ft_in1k", weights="pretrained", input_size=224
)
imagenet_resnet18["head"].update(loss=smoothed)
model.update(student=imagenet_resnet18, teacher=teacher)
