"""ImageNet, 300 epochs at a batch of 256, times 0.98 after each: mmpretrain's for MobileNetV2."""

from mmengine.optim import OptimWrapper, StepLR
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=SGD, lr=0.045, momentum=0.9, weight_decay=4e-5)
)
param_scheduler = [dict(type=StepLR, by_epoch=True, step_size=1, gamma=0.98)]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=256)
