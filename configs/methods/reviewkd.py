# CIFAR-100, WRN and ResNet8x4, as megvii-research/mdistiller: warm-up of 20 in 240 epochs.
from cls_kd.losses import ReviewKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    reviewkd=dict(type=ReviewKDLoss, weight=dict(type=EpochWarmup, until=20 / 240, value=5.0)),
)
