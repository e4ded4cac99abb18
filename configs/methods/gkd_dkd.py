# CIFAR-100, ResNet32x4 to ResNet8x4, as snw2021/GKD: warm-up of 20 in 240 epochs.
from cls_kd.losses import DKDLoss, GradientScaledLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    gkd=dict(type=GradientScaledLoss, loss=dict(type=DKDLoss, beta=8.0)),
)
losses["gkd"].update(weight=dict(type=EpochWarmup, until=20 / 240))
