"""ImageNet, DeiT III-L to DeiT-B; the teacher is mmpretrain's (86.97)."""

from mmengine.config import read_base
from mmpretrain.engine import EMAHook

with read_base():
    from ..._base_.protocols.imagenet_deit import *
    from ...networks.imagenet_deit_base import *

teacher = dict(network="deit3-large-p16_in21k-pre_3rdparty_in1k", weights="pretrained")
model.update(student=imagenet_deit_base, teacher=teacher)
train_dataloader.update(batch_size=64)  # 16 GPUs
custom_hooks = [dict(type=EMAHook, momentum=4e-5, priority="ABOVE_NORMAL")]
