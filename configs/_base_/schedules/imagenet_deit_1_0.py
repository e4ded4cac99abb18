"""ImageNet, 300 epochs at a batch of 1024, AdamW, as mmpretrain trains DeiT today: nearly as Swin.

So branch 1.0 of yzd-v/cls_KD; its tables were made on master, see imagenet_deit.py.
"""

from mmengine.config import read_base

with read_base():
    from .imagenet_swin_1_0 import *

optim_wrapper["paramwise_cfg"]["custom_keys"].update(
    {".cls_token": dict(decay_mult=0.0), ".pos_embed": dict(decay_mult=0.0)}
)
