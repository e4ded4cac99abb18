"""ImageNet, 100 epochs at a batch of 256, as mmpretrain trains ResNets."""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=SGD, lr=0.1, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = [dict(type=MultiStepLR, by_epoch=True, milestones=[30, 60, 90], gamma=0.1)]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=256)
