"""ImageNet, 300 epochs at a batch of 2048, LAMB, as mmpretrain's ResNet "strikes back" A2."""

from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.engine.optimizers import Lamb

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=Lamb, lr=0.005, weight_decay=0.02),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type=LinearLR,
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(type=CosineAnnealingLR, T_max=295, eta_min=1e-6, by_epoch=True, begin=5, end=300),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=2048)
