# CIFAR-100, as hunto/DIST_KD; ImageNet: temperature 1.
from cls_kd.losses import DISTLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    dist=dict(type=DISTLoss, beta=1.0, gamma=1.0, temperature=4.0, weight=2.0),
)
