"""ImageNet as mmpretrain trains Swin, 16 GPUs x 64."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import TaskLoss

with read_base():
    from ..datasets.imagenet_swin import *
    from ..runtime.default import *
    from ..schedules.imagenet_swin import *

model = dict(type=Distiller, teacher=None, losses=dict(ce=dict(type=TaskLoss)))
