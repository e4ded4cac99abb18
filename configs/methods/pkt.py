# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import PKTLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    pkt=dict(type=PKTLoss, weight=30000.0),
)
