"""ImageNet, ResNet-34 to ResNet-18 as KD and DKD in megvii-research/mdistiller: 8 GPUs x 64."""

from mmengine.config import read_base

with read_base():
    from .resnet34_resnet18_torchvision import *

    # isort: split
    from ..._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
