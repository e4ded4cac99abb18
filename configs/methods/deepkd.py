# CIFAR-100, ResNet32x4 to ResNet8x4, as haiduo/DeepKD with DKD: warm-up of 20 in 240 epochs.
from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.losses import DeepKDNonTargetLoss, DeepKDTargetLoss, TaskLoss
from cls_kd.modules import EpochWarmup
from cls_kd.optimizers import DeepKD

losses = dict(ce=dict(type=TaskLoss), non_target=dict(type=DeepKDNonTargetLoss))
losses["non_target"].update(weight=dict(type=EpochWarmup, until=20 / 240, value=8.0))
losses["target"] = dict(type=DeepKDTargetLoss, weight=dict(type=EpochWarmup, until=20 / 240))
optim_wrapper = dict(type=SeparateGradientsOptimWrapper, clip_grad=None, optimizer={"type": DeepKD})
