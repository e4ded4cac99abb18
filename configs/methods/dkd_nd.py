# CIFAR-100, ResNet56 to ResNet20, DKD++, as WangYZ1608/Knowledge-Distillation-via-ND.
from cls_kd.losses import DirectNormLoss, DKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    dkd=dict(type=DKDLoss, alpha=2.5, beta=4.0, weight=dict(type=EpochWarmup, until=20 / 240)),
    nd=dict(type=DirectNormLoss, weight=3.5),
)
