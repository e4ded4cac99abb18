# CIFAR-100: T 3, mu 0.005, two views; not checked against the authors' code, which is not public.
from cls_kd.data import Views
from cls_kd.losses import DDGSDLoss, ViewTaskLoss

losses = dict(
    ce=dict(type=ViewTaskLoss),
    ddgsd=dict(type=DDGSDLoss, temperature=3.0, mmd_weight=0.005),
)
train_data = dict(wrapper=dict(type=Views))
