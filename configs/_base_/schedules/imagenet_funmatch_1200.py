"""ImageNet, 1200 epochs at a batch of 4096, Adam, as google-research/big_vision distills BiT.

Its weight decay of 3e-4 in each step follows the schedule and not the learning rate: 3e-4 / 0.03 of
AdamW.
"""

from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import AdamW

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=0.03, weight_decay=0.01),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-6, by_epoch=False, begin=0, end=5000),
    dict(type=CosineAnnealingLR, by_epoch=True, T_max=1200, convert_to_iter_based=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=1200, val_interval=10)
auto_scale_lr = dict(enable=False, base_batch_size=4096)
