# CIFAR-100, as zkxufo/TTM's scripts; weights of single pairs differ.
from cls_kd.losses import TaskLoss, TTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ttm=dict(type=TTMLoss, power=0.1, weight=45.0),
)
