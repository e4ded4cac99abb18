# ImageNet, RegNetY-16GF to DeiT-Tiny, as roymiles/VkD, without its distillation token.
from cls_kd.losses import TaskLoss, VkDLoss

losses = dict(
    ce=dict(type=TaskLoss),
    vkd=dict(type=VkDLoss),
)
