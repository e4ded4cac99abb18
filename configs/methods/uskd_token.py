# ImageNet, DeiT-Tiny, as yzd-v/cls_KD. For vision transformers.
from cls_kd.losses import TaskLoss, USKDTokenLoss

losses = dict(
    ce=dict(type=TaskLoss),
    uskd=dict(type=USKDTokenLoss, alpha=1.0, beta=0.1, mu=0.005),
)
