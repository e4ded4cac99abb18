"""ImageNet, 100 epochs at a batch of 512, as megvii-research/mdistiller."""

from mmengine.config import read_base

with read_base():
    from .imagenet_100 import *

optim_wrapper["optimizer"].update(lr=0.2)
auto_scale_lr.update(base_batch_size=512)
