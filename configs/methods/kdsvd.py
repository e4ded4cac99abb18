# CIFAR-100, as megvii-research/mdistiller's configs.
from cls_kd.losses import KDSVDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kdsvd=dict(type=KDSVDLoss, k=1),
)
