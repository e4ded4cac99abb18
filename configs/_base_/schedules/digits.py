"""SGD with momentum and a cosine to zero: seconds for a small network on the digits."""

from mmengine.optim import CosineAnnealingLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True),
    # Some methods' weights are made for CIFAR-100 at lr 0.05: without a limit they diverge here.
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type=CosineAnnealingLR, by_epoch=True, T_max=20, convert_to_iter_based=True)
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=20, val_interval=1)
