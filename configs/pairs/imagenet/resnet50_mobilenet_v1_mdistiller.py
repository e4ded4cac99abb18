"""ImageNet, ResNet-50 to MobileNetV1 as KD and DKD in megvii-research/mdistiller: 8 GPUs x 64."""

from mmengine.config import read_base

with read_base():
    from .resnet50_mobilenet_v1_torchvision import *

    # isort: split
    from ..._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
