# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import NSTLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    nst=dict(type=NSTLoss, weight=50.0),
)
