# CIFAR-100, ResNet34 to ResNet18, as yzd-v/cls_KD; no setting is published for other pairs.
from cls_kd.losses import NKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    nkd=dict(type=NKDLoss, temperature=3.0, gamma=3.5),
)
