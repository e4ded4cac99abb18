# CIFAR-100, as Jin-Ying/Multi-Level-Logit-Distillation, without its masks (see MLKDLoss).
from cls_kd.data import StrongViews
from cls_kd.losses import EveryViewLoss, MLKDLoss, ViewTaskLoss

losses = dict(
    ce=dict(type=ViewTaskLoss, weight=0.1),
    mlkd=dict(type=EveryViewLoss, loss=dict(type=MLKDLoss), weight=0.9),
)
train_data = dict(wrapper=dict(type=StrongViews))
