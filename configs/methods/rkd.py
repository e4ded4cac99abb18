# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import RKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    rkd=dict(type=RKDLoss, distance_weight=25.0, angle_weight=50.0),
)
