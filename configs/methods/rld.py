# CIFAR-100, as zju-SWJ/RLD: warm-up of 20 in 240 epochs; ImageNet: beta 0.5 or 2, T 1.
from cls_kd.losses import RLDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    rld=dict(type=RLDLoss, beta=8.0, weight=dict(type=EpochWarmup, until=20 / 240)),
)
