# CIFAR-100, weights from OSVAI/NORM's script (cross-entropy: 0.0625 to 0.5). See NToOneClassifier.
from cls_kd.losses import NORMLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    norm=dict(type=NORMLoss),
)
