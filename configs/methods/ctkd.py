# CIFAR-100, as zhengli97/CTKD; ImageNet: ramp=5 / 120, weights 1 and 1.
from cls_kd.losses import CTKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    ctkd=dict(type=CTKDLoss, ramp=10 / 240, weight=0.9),
)
