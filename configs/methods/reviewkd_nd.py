# CIFAR-100, ResNet56 to ResNet20, ReviewKD++, as WangYZ1608/Knowledge-Distillation-via-ND.
from cls_kd.losses import DirectNormLoss, ReviewKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    reviewkd=dict(type=ReviewKDLoss, weight=dict(type=EpochWarmup, until=20 / 240, value=1.2)),
    nd=dict(type=DirectNormLoss, weight=1.0),
)
