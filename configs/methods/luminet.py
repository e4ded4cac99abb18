# CIFAR-100, ResNet32x4 to ResNet8x4, as ismail31416/LumiNet: warm-up of 20 in 240 epochs.
from cls_kd.losses import LumiNetLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(
    ce=dict(type=TaskLoss, weight=2.0),
    luminet=dict(type=LumiNetLoss, alpha=33.0, weight=dict(type=EpochWarmup, until=20 / 240)),
)
