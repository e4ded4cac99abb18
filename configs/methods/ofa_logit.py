# CIFAR-100, Swin-T to ResNet18, as Hao840/OFAKD, without its classifiers at the stages.
from cls_kd.losses import OFALoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ofa=dict(type=OFALoss, eps=1.0, temperature=1.0),
)
