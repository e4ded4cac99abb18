# CIFAR-100, the mean of two views; as published (lan-long/NTCE-KD) the two views do not run: ours.
from cls_kd.data import StrongViews
from cls_kd.losses import EveryViewLoss, NTCEKDLoss, ViewTaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(ce=dict(type=ViewTaskLoss, weight=0.5))
losses["mkl"] = dict(type=EveryViewLoss, loss=dict(type=NTCEKDLoss))
losses["mkl"].update(weight=dict(type=EpochWarmup, until=20 / 240, value=4.0))
train_data = dict(wrapper=dict(type=StrongViews))
