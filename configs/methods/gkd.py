# CIFAR-100, as snw2021/GKD: the weight of KD is 1, with a warm-up of 20 in 240 epochs.
from cls_kd.losses import GradientScaledLoss, KDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    gkd=dict(type=GradientScaledLoss, loss=dict(type=KDLoss, temperature=4.0)),
)
losses["gkd"].update(weight=dict(type=EpochWarmup, until=20 / 240))
