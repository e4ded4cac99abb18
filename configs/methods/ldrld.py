# CIFAR-100, ResNet32x4 to ResNet8x4, as yema-web/LDRLD.
from cls_kd.losses import LDRLDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ldrld=dict(type=LDRLDLoss, alpha=10.5, beta=7.0, k=7, temperature=4.0),
)
