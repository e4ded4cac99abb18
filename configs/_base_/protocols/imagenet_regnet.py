"""ImageNet as mmpretrain trains RegNets, 8 GPUs x 128."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import TaskLoss

with read_base():
    from ..datasets.imagenet_regnet import *
    from ..runtime.default import *
    from ..schedules.imagenet_regnet import *

model = dict(type=Distiller, teacher=None, losses=dict(ce=dict(type=TaskLoss)))
