"""CIFAR-100 in batches of 128, normalized as in yzd-v/cls_KD (NKD, arXiv:2303.13005).

There a batch is 8 GPUs with 16 images each.
"""

from mmengine.config import read_base

with read_base():
    from .cifar100 import *

data_preprocessor.update(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
train_dataloader.update(batch_size=128)
