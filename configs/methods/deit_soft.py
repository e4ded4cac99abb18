# ImageNet, as facebookresearch/deit, on the class token in place of a distillation token.
from cls_kd.losses import SoftDistillationLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.9),
    deit=dict(type=SoftDistillationLoss, temperature=3.0, weight=0.1),
)
