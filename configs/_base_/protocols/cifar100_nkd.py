"""CIFAR-100 as in NKD (arXiv:2303.13005), a batch of 128; KD where no method is named."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.cifar100_nkd import *
    from ..runtime.default import *
    from ..schedules.cifar_200 import *

model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(
        ce=dict(type=TaskLoss, weight=0.5), kd=dict(type=KDLoss, temperature=3.0, weight=0.5)
    ),
)
