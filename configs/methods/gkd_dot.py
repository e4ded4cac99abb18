# Gradient-scaled KD as in gkd.py, by DOT as in dot.py, as snw2021/GKD; ImageNet: delta 0.09.
from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.losses import GradientScaledLoss, KDLoss, TaskLoss
from cls_kd.optimizers import DOT

losses = dict(ce=dict(type=TaskLoss, weight=0.1), gkd=dict(type=GradientScaledLoss))
losses["gkd"]["loss"] = dict(type=KDLoss, temperature=4.0)
optim_wrapper = dict(type=SeparateGradientsOptimWrapper, clip_grad=None)
optim_wrapper["optimizer"] = dict(type=DOT, delta=0.075)
