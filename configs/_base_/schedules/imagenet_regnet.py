"""ImageNet, 100 epochs at a batch of 1024, as MMClassification 0.x trains RegNets, after pycls.

So master of yzd-v/cls_KD, where its tables were made: the cosine over all epochs is read once in
each, and the warm-up of 5 epochs is multiplied in, step by step. imagenet_regnet_1_0.py is what
mmpretrain has today.
"""

from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.engine import PreciseBNHook
from torch.optim import SGD

from cls_kd.engine.learning_rates import WarmupCosineLR

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.8, momentum=0.9, weight_decay=5e-5, nesterov=True),
)
param_scheduler = [
    dict(
        type=WarmupCosineLR,
        warmup=5,
        start_factor=0.1,
        hold=1,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
# Before a checkpoint is written and validated.
custom_hooks = [dict(type=PreciseBNHook, num_samples=8192, interval=1, priority="ABOVE_NORMAL")]
