# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import TaskLoss, VIDLoss

losses = dict(
    ce=dict(type=TaskLoss),
    vid=dict(type=VIDLoss),
)
