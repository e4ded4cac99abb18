# CIFAR-100, as HobbitLong/RepDistiller's scripts.
from cls_kd.losses import CorrelationCongruenceLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    cc=dict(type=CorrelationCongruenceLoss, dim=128, weight=0.02),
)
