"""ImageNet as mmpretrain trains MobileNetV2, 8 GPUs x 32."""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import TaskLoss

with read_base():
    from ..datasets.imagenet_pillow import *
    from ..runtime.default import *
    from ..schedules.imagenet_mobilenet_v2 import *

model = dict(type=Distiller, teacher=None, losses=dict(ce=dict(type=TaskLoss)))
