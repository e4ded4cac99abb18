# CIFAR-100, as TTM in zkxufo/TTM's README, which has no weight of WTTM alone.
from cls_kd.losses import TaskLoss, WTTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wttm=dict(type=WTTMLoss, power=0.1, weight=45.0),
)
