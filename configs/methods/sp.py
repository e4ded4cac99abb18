# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import SPLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    sp=dict(type=SPLoss, weight=3000.0),
)
