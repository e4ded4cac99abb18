# CIFAR-100, ResNet56 to ResNet20, as ghwang-s/abkd's scripts; they search per pair.
from cls_kd.losses import ABKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    abkd=dict(type=ABKDLoss, alpha=0.8, beta=0.3, temperature=4.0, weight=32.0),
)
