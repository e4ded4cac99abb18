"""240 epochs for batches of 64, as in HobbitLong/RepDistiller (CRD, arXiv:1910.10699).

For MobileNetV2 and ShuffleNet as students it takes lr=0.01.
"""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.05, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [dict(type=MultiStepLR, by_epoch=True, milestones=[150, 180, 210], gamma=0.1)]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=240, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=64)
