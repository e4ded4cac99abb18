# CIFAR-100, as HobbitLong/RepDistiller's scripts: hint 2 there, which counts the stem.
from cls_kd.losses import FitNetLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    fitnet=dict(type=FitNetLoss, stage=1, weight=100.0),
)
