# CIFAR-100, as StephenEkaputra/Swapped-Logit-Distillation; ImageNet: weights 0.5 and 0.5.
from cls_kd.data import StrongViews
from cls_kd.losses import EveryViewLoss, SLDLoss, ViewTaskLoss

losses = dict(
    ce=dict(type=ViewTaskLoss, weight=0.1),
    sld=dict(type=EveryViewLoss, loss=dict(type=SLDLoss), weight=0.9),
)
train_data = dict(wrapper=dict(type=StrongViews))
