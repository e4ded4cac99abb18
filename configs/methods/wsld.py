# CIFAR-100, as the authors (bellymonster/Weighted-Soft-Label-Distillation); ImageNet: 2 and 2.5.
from cls_kd.losses import TaskLoss, WSLDLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wsld=dict(type=WSLDLoss, temperature=4.0, weight=2.25),
)
