# ImageNet, RegNetY-16GF to DeiT, as Zzzzz1/CSKD, without its distillation token.
from cls_kd.losses import CumulativeSpatialLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    cumulative_spatial=dict(type=CumulativeSpatialLoss, kind="hard", decay="linear"),
)
