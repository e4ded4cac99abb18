# CIFAR-100, as zkxufo/TTM's scripts; weights of single pairs differ.
from cls_kd.losses import TaskLoss, WTTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wttm=dict(type=WTTMLoss, power=0.1, weight=45.0),
)
