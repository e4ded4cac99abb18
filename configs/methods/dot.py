# KD as in kd.py, by DOT: delta of CIFAR-100 as megvii-research/mdistiller; ImageNet: 0.09.
from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.losses import KDLoss, TaskLoss
from cls_kd.optimizers import DOT

losses = dict(ce=dict(type=TaskLoss, weight=0.1), kd=dict(type=KDLoss, temperature=4.0, weight=0.9))
optim_wrapper = dict(type=SeparateGradientsOptimWrapper, clip_grad=None)
optim_wrapper["optimizer"] = dict(type=DOT, delta=0.075)
