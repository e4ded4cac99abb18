# CIFAR-100, as Jin-Ying/Multi-Level-Logit-Distillation on one view, where it has two.
from cls_kd.losses import MLKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    mlkd=dict(type=MLKDLoss, temperatures=(4.0, 3.0, 5.0, 2.0, 6.0), weight=0.9),
)
