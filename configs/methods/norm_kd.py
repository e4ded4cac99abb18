# CIFAR-100, NORM with KD, as OSVAI/NORM, which does not say the weight of KD. See NToOneClassifier.
from cls_kd.losses import KDLoss, NORMLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    kd=dict(type=KDLoss, temperature=4.0),
    norm=dict(type=NORMLoss),
)
