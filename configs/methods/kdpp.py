# CIFAR-100, ResNet56 to ResNet20, as WangYZ1608's repository: KD with warm-up of 20 in 240 epochs.
from cls_kd.losses import DirectNormLoss, KDLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=4.0, weight=dict(type=EpochWarmup, until=20 / 240)),
    nd=dict(type=DirectNormLoss, weight=2.0),
)
