# CIFAR-100, as ADLab-AutoDrive/ICKD.
from cls_kd.losses import ICKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ickd=dict(type=ICKDLoss, weight=2.5),
)
