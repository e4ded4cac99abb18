# CIFAR-100, ResNet32x4 to ResNet8x4, as gizi1/NormKD: warm-up of 20 in 240 epochs.
from cls_kd.losses import DKDLoss, NormKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    normkd=dict(type=NormKDLoss, loss=dict(type=DKDLoss, alpha=4.0, beta=5.0, temperature=2.0)),
)
losses["normkd"].update(weight=dict(type=EpochWarmup, until=20 / 240))
