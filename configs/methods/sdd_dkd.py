# CIFAR-100, ResNet32x4 to ShuffleNet, as shicaiwei123/SDD-CVPR2024: warm-up of 20 epochs.
from cls_kd.losses import DKDLoss, SDDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    sdd=dict(type=SDDLoss, loss=dict(type=DKDLoss, beta=8.0, temperature=4.0)),
)
losses["sdd"].update(weight=dict(type=EpochWarmup, until=20 / 240))
