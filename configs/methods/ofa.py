# CIFAR-100, Swin-T to ResNet18, as Hao840/OFAKD; DeiT-T to ResNet18 on ImageNet: eps 1.5.
from cls_kd.losses import OFAExitsLoss, OFALoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ofa=dict(type=OFALoss, eps=1.0),
    exits=dict(type=OFAExitsLoss, loss=dict(type=OFALoss, eps=1.0)),
)
