# ImageNet, RegNetY-16GF to DeiT with its distillation token, hard labels, as facebookresearch/deit.
from cls_kd.losses import ClassTokenTaskLoss, DistillationTokenLoss, HardDistillationLoss

losses = dict(
    ce=dict(type=ClassTokenTaskLoss, weight=0.5),
    token=dict(type=DistillationTokenLoss, loss=dict(type=HardDistillationLoss), weight=0.5),
)
