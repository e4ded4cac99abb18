# CIFAR-100, ResNet18, as yzd-v/cls_KD; ImageNet: alpha 1, beta 0.1, mu 0.005 for all networks.
from cls_kd.losses import TaskLoss, USKDLoss

losses = dict(
    ce=dict(type=TaskLoss),
    uskd=dict(type=USKDLoss, alpha=0.1, beta=0.1, mu=0.1),
)
