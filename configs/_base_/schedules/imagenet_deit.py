"""ImageNet, 300 epochs at a batch of 1024, AdamW, as mmpretrain trains DeiT: nearly as Swin."""

from mmengine.config import read_base

with read_base():
    from .imagenet_swin import *

optim_wrapper["paramwise_cfg"]["custom_keys"].update(
    {".cls_token": dict(decay_mult=0.0), ".pos_embed": dict(decay_mult=0.0)}
)
