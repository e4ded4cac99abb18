# CIFAR-100, as yzd-v/cls_KD, from the authors' grid (1, 1), (1, 5), (10, 1); ImageNet: (1, 1).
from cls_kd.losses import SRRLLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    srrl=dict(type=SRRLLoss, alpha=1.0, beta=5.0),
)
