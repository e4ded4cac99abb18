# CIFAR-100, ResNet56 to ResNet20, DIST++, as WangYZ1608/Knowledge-Distillation-via-ND.
from cls_kd.losses import DirectNormLoss, DISTLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    dist=dict(type=DISTLoss, weight=dict(type=EpochWarmup, until=20 / 240, value=2.0)),
    nd=dict(type=DirectNormLoss, weight=1.0),
)
