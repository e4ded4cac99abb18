"""ImageNet, 100 epochs at a batch of 1024, as mmpretrain trains RegNets today, after pycls.

So branch 1.0 of yzd-v/cls_KD; its tables were made on master, see imagenet_regnet.py.
"""

from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.engine import PreciseBNHook
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.8, momentum=0.9, weight_decay=5e-5, nesterov=True),
)
param_scheduler = [
    dict(type=LinearLR, by_epoch=True, start_factor=0.1, begin=0, end=5),
    dict(type=CosineAnnealingLR, by_epoch=True, T_max=95, begin=5, end=100),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
# Before a checkpoint is written and validated.
custom_hooks = [dict(type=PreciseBNHook, num_samples=8192, interval=1, priority="ABOVE_NORMAL")]
