# CIFAR-100, as HobbitLong/RepDistiller's scripts; ImageNet: temperature 1, weights 0.5 and 0.5.
from cls_kd.losses import KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    kd=dict(type=KDLoss, temperature=4.0, weight=0.9),
)
