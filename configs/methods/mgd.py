# CIFAR-100, ResNet34 to ResNet18, as yzd-v/cls_KD; ImageNet: weight 7e-5.
from cls_kd.losses import MGDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    mgd=dict(type=MGDLoss, mask_ratio=0.15, weight=1.2e-3),
)
