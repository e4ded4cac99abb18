"""ImageNet as Hao840/vanillaKD's recipe A2, 8 GPUs x 256: mmpretrain's "strikes back" with KD.

RandAugment, mixup 0.1 or CutMix, each image three times an epoch, binary cross-entropy of the
mixed labels.
"""

from mmengine.config import read_base
from mmpretrain.datasets import RepeatAugSampler
from mmpretrain.models import CrossEntropyLoss

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.imagenet_swin import *
    from ..runtime.default import *
    from ..schedules.imagenet_rsb_a2 import *

# As Swin's images, but with weaker RandAugment and mixup, and without erasing.
_pipeline = train_dataloader["dataset"]["pipeline"]
_pipeline[3].update(magnitude_level=7)
del _pipeline[4]
val_dataloader["dataset"]["pipeline"][1].update(scale=236)
data_preprocessor["batch_augments"]["augments"][0].update(alpha=0.1)
train_dataloader.update(batch_size=256, sampler=dict(type=RepeatAugSampler, shuffle=True))
# Of the student's head.
binary = dict(type=CrossEntropyLoss, use_sigmoid=True)
model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(ce=dict(type=TaskLoss), kd=dict(type=KDLoss, temperature=1.0)),
)
