# CIFAR-100, 240 epochs, after HobbitLong/RepDistiller: 30 on AB, then the labels alone.
from cls_kd.losses import ABLoss, TaskLoss
from cls_kd.modules import Window

losses = dict(
    ce=dict(type=TaskLoss, weight=dict(type=Window, start=30 / 240)),
    ab=dict(type=ABLoss, weight=dict(type=Window, end=30 / 240)),
)
