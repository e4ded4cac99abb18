# CIFAR-100, as DefangChen/SimKD's scripts; ImageNet: weight 50. batch_size is a process's.
from cls_kd.losses import KDLoss, SemCKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=4.0),
    semckd=dict(type=SemCKDLoss, batch_size=64, weight=400.0),
)
