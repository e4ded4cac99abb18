# CIFAR-100, ResNet32x4 to ResNet8x4 with DKD, as haiduo/DeepKD; optimizer: configs/digits/deepkd.py
from cls_kd.losses import DeepKDNonTargetLoss, DeepKDTargetLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    target=dict(type=DeepKDTargetLoss, weight=dict(type=EpochWarmup, until=20 / 240)),
    non_target=dict(type=DeepKDNonTargetLoss),
)
losses["non_target"].update(weight=dict(type=EpochWarmup, until=20 / 240, value=8.0))
