"""ImageNet, 300 epochs at a batch of 1024, AdamW, as mmpretrain trains Swin today.

So branch 1.0 of yzd-v/cls_KD; its tables were made on master, see imagenet_swin.py.
"""

from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import AdamW

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-3, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.999)),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys={
            ".absolute_pos_embed": dict(decay_mult=0.0),
            ".relative_position_bias_table": dict(decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type=LinearLR, by_epoch=True, start_factor=1e-3, end=20, convert_to_iter_based=True),
    dict(type=CosineAnnealingLR, by_epoch=True, eta_min=1e-5, begin=20),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
