# CIFAR-100, as AnTuo1998/AE-KD; needs a list of teachers.
from cls_kd.losses import AEKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    aekd=dict(type=AEKDLoss, temperature=4.0, tolerance=0.6, weight=0.9),
)
