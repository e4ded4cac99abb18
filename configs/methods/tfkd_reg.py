# CIFAR-100, ResNet18, as yuanli2333/Teacher-free-Knowledge-Distillation: alpha 0.1, T 20.
from cls_kd.losses import TaskLoss, TfKDRegularizationLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.9),
    tfkd=dict(type=TfKDRegularizationLoss, temperature=20.0, weight=0.1),
)
