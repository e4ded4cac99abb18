# CIFAR-100, after HobbitLong/RepDistiller's scripts; its first phase is in the loss.
from cls_kd.losses import FTLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ft=dict(type=FTLoss, beta=200.0),
)
