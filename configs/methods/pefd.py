# CIFAR-100 and ImageNet, as chenyd7/PEFD's scripts.
from cls_kd.losses import PEFDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    pefd=dict(type=PEFDLoss, projectors=3, weight=25.0),
)
