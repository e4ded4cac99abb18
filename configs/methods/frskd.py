# CIFAR-100, ResNet18, as MingiJi/FRSKD.
from cls_kd.losses import FRSKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    frskd=dict(type=FRSKDLoss, temperature=4.0, logit_weight=2.0, feature_weight=100.0),
)
