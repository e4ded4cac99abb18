"""ImageNet, 300 epochs at a batch of 1024, linear to 0, as mmpretrain trains ShuffleNetV2 today.

So branch 1.0 of yzd-v/cls_KD; its tables were made on master, see imagenet_shufflenet_v2.py.
"""

from mmengine.optim import ConstantLR, OptimWrapper, PolyLR
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.5, momentum=0.9, weight_decay=4e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
# In steps, not epochs: with another batch size change 5,000 as well.
param_scheduler = [
    dict(type=ConstantLR, by_epoch=False, factor=0.1, begin=0, end=5000),
    dict(type=PolyLR, by_epoch=False, eta_min=0.0, begin=5000),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
