# CIFAR-100, as winycg/HSAKD; there the teacher's auxiliary classifiers are trained beforehand.
from cls_kd.data import Rotations
from cls_kd.losses import HSAKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    hsakd=dict(type=HSAKDLoss, temperature=3.0),
)
train_data = dict(wrapper=dict(type=Rotations))
