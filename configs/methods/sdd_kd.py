# CIFAR-100, as shicaiwei123/SDD-CVPR2024; pairs of networks of one family: grids=(1, 2).
from cls_kd.losses import KDLoss, SDDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    sdd=dict(type=SDDLoss, loss=dict(type=KDLoss, temperature=4.0), weight=0.9),
)
