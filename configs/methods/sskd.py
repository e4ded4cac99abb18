# CIFAR-100, as xuguodong03/SSKD; there the teacher's projection is trained beforehand.
from cls_kd.data import Rotations
from cls_kd.losses import SSKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    sskd=dict(type=SSKDLoss, kd_weight=0.9, transformed_weight=2.7, similarity_weight=10.0),
)
train_data = dict(wrapper=dict(type=Rotations))
