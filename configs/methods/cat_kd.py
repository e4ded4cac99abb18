# CIFAR-100, ResNet32x4 to ResNet8x4, as GzyAftermath/CAT-KD; to ShuffleNets: 600, 4, normalized.
from cls_kd.losses import CATLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    cat=dict(type=CATLoss, resolution=2, normalize=False, weight=15.0),
)
