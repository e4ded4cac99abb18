"""CIFAR-100 in the protocol of CRD (arXiv:1910.10699), 1 GPU x 64; KD where no method is named."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.cifar100 import *
    from ..runtime.default import *
    from ..schedules.cifar_crd import *

model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(
        ce=dict(type=TaskLoss, weight=0.1), kd=dict(type=KDLoss, temperature=4.0, weight=0.9)
    ),
)
