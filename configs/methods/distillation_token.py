# ImageNet, for a student with a distillation token; KL at T 1 as roymiles/VkD, weights as DeiT's.
from cls_kd.losses import ClassTokenTaskLoss, DistillationTokenLoss, KDLoss

losses = dict(
    ce=dict(type=ClassTokenTaskLoss, weight=0.5),
    token=dict(type=DistillationTokenLoss, loss=dict(type=KDLoss, temperature=1.0), weight=0.5),
)
