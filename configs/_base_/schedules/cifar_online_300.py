"""300 epochs for batches of 128, as in online distillation (OKDDip, arXiv:1912.00350)."""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
param_scheduler = [dict(type=MultiStepLR, by_epoch=True, milestones=[150, 225], gamma=0.1)]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=128)
