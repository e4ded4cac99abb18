"""ImageNet, BiT-R152x2 to BiT-R50x1 as FunMatch; the teacher is its authors', by timm."""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.imagenet_funmatch import *
    from ...networks.imagenet_bit_resnet50 import *

teacher = dict(network="timm:resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k", weights="pretrained")
model.update(student=imagenet_bit_resnet50, teacher=teacher)
