# CIFAR-100, ResNet32x4 to ResNet8x4, as megvii-research/mdistiller: warm-up of 20 in 240 epochs.
from cls_kd.losses import DKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    dkd=dict(type=DKDLoss, beta=8.0, weight=dict(type=EpochWarmup, until=20 / 240)),
)
