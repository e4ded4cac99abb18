"""ImageNet as mdistiller's line trains: torchvision's transforms, 8 GPUs x 32; KD by default.

Learning rate and batch are those of PyTorch's example, 0.1 and 256; most of mdistiller's cells have
0.2 and 512 (schedules/imagenet_mdistiller_100.py).
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.imagenet_torchvision import *
    from ..runtime.default import *
    from ..schedules.imagenet_100 import *

model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(
        ce=dict(type=TaskLoss, weight=0.5), kd=dict(type=KDLoss, temperature=1.0, weight=0.5)
    ),
)
