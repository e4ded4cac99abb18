# CIFAR-100, as gizi1/NormKD; ImageNet: temperature 1, weights 0.5 and 0.5.
from cls_kd.losses import NormKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    normkd=dict(type=NormKDLoss, temperature=2.0, weight=0.9),
)
