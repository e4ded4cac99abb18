# CIFAR-100, VGG13 to VGG8, as zkxufo/TTM's README; no weight of another pair is published.
from cls_kd.losses import TaskLoss, TTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ttm=dict(type=TTMLoss, power=0.1, weight=45.0),
)
