"""ImageNet as mmpretrain trains DeiT, 4 GPUs x 256; KD where no method is named."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.imagenet_deit import *
    from ..runtime.default import *
    from ..schedules.imagenet_deit import *

model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(
        ce=dict(type=TaskLoss, weight=0.5), kd=dict(type=KDLoss, temperature=1.0, weight=0.5)
    ),
)
