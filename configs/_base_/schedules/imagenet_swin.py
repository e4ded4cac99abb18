"""ImageNet, 300 epochs at a batch of 1024, AdamW, as MMClassification 0.x trains Swin.

So master of yzd-v/cls_KD, where its tables were made: the cosine runs over all 300 epochs, step by
step, and the warm-up of 20 is multiplied in. imagenet_swin_1_0.py is what mmpretrain has today.
"""

from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import AdamW

from cls_kd.engine.learning_rates import WarmupCosineLR

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
    dict(
        type=WarmupCosineLR,
        warmup=20,
        start_factor=1e-3,
        min_ratio=1e-2,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
