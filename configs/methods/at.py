# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import ATLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    at=dict(type=ATLoss, p=2, weight=1000.0),
)
