"""ImageNet-1k as mmpretrain trains small DeiTs: Swin's pipeline, 256 images a GPU, for 4 GPUs."""

from mmengine.config import read_base

with read_base():
    from .imagenet_swin import *

train_dataloader.update(batch_size=256)
