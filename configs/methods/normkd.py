# CIFAR-100, as gizi1/NormKD; ImageNet: temperature 1, weights 0.5 and 0.5.
from cls_kd.losses import KDLoss, NormKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    normkd=dict(type=NormKDLoss, loss=dict(type=KDLoss, temperature=2.0), weight=0.9),
)
