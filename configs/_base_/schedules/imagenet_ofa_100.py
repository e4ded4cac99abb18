"""ImageNet, 100 epochs at a batch of 512, as Hao840/OFAKD trains convolutional students.

Its configs/imagenet/cnn.yaml at 8 GPUs x 64. What that file leaves to timm 0.6.5 is timm's:
Nesterov's momentum, and a warm-up from 1e-4.
"""

from mmengine.optim import LinearLR, MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-3, by_epoch=True, begin=0, end=3),
    dict(type=MultiStepLR, by_epoch=True, milestones=[30, 60, 90], gamma=0.1),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=512)
