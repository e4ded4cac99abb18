# CIFAR-100, ResNet32x4 to ResNet8x4, as JiamingLv/WKD, but for the classifier's cost (fc).
from cls_kd.losses import TaskLoss, WKDLogitLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wkd=dict(type=WKDLogitLoss, gamma=600.0, temperature=8.0),
)
