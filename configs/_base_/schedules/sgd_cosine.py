"""SGD with momentum, a cosine to zero over the whole training, however long; for batches of 64."""

from mmengine.optim import CosineAnnealingLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.025, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
# Without T_max it takes the length of the training.
param_scheduler = [dict(type=CosineAnnealingLR, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
