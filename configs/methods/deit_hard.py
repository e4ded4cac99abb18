# ImageNet, as facebookresearch/deit, on the class token in place of a distillation token.
from cls_kd.losses import HardDistillationLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    deit=dict(type=HardDistillationLoss, weight=0.5),
)
