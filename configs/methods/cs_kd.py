# CIFAR-100, as alinlab/cs-kd: T 4, lambda 1. ClassPairs gives each image another one of its class.
from cls_kd.data import ClassPairs
from cls_kd.losses import CSKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    cs_kd=dict(type=CSKDLoss, temperature=4.0, weight=1.0),
)
train_data = dict(wrapper=dict(type=ClassPairs))
