# CIFAR-100, ResNet32x4 pairs, as lan-long/NTCE-KD on one view: warm-up of 20 in 240 epochs.
from cls_kd.losses import NTCEKDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    mkl=dict(type=NTCEKDLoss, weight=dict(type=EpochWarmup, until=20 / 240, value=8.0)),
)
