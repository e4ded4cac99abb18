"""ImageNet as Hao840/OFAKD trains convolutional students, 8 GPUs x 64; KD where no method is named.

Its images are resized by timm with an interpolation drawn for each; here it is bilinear.
"""

from mmengine.config import read_base
from mmpretrain.models import LabelSmoothLoss

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.imagenet_torchvision import *
    from ..runtime.default import *
    from ..schedules.imagenet_ofa_100 import *

train_dataloader.update(batch_size=64)
# Of the student's head.
smoothed = dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original")
model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(ce=dict(type=TaskLoss), kd=dict(type=KDLoss, temperature=1.0)),
)
