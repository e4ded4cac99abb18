# CIFAR-100, as megvii-research/mdistiller's configs; ImageNet: weight 1e-4.
from cls_kd.losses import OFDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ofd=dict(type=OFDLoss, weight=1e-3),
)
