"""ImageNet as FunMatch (Beyer et al. 2022): consistent teaching, 32 GPUs x 128.

Teacher and student see the same crop and the same mixup, of Beta(1, 1); labels are not used. The
partners of mixup are drawn; in google-research/big_vision they are the next images of the batch.
"""

from mmengine.config import read_base
from mmpretrain.models import Mixup

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss

with read_base():
    from ..datasets.imagenet_torchvision import *
    from ..runtime.default import *
    from ..schedules.imagenet_funmatch_1200 import *

train_dataloader.update(batch_size=128)
data_preprocessor.update(batch_augments=dict(augments=[dict(type=Mixup, alpha=1.0)]))
model = dict(type=Distiller, teacher=None, losses=dict(kd=dict(type=KDLoss, temperature=1.0)))
