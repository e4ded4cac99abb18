"""ImageNet as Hao840/OFAKD trains transformers and MLPs, 8 GPUs x 128; KD where no method is named.

Its configs/imagenet/vit_mlp.yaml: DeiT's recipe with half the learning rate. Its moving average of
the weights (0.99996), whose accuracy is not said to be the published one, is left out.
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from ..datasets.imagenet_deit import *
    from ..runtime.default import *
    from ..schedules.imagenet_deit import *

train_dataloader.update(batch_size=128)
optim_wrapper["optimizer"].update(lr=5e-4)
# From 5e-7, and down to 1e-6.
param_scheduler[0].update(start_factor=1e-3, min_ratio=2e-3)
model = dict(
    type=Distiller,
    teacher=None,
    losses=dict(ce=dict(type=TaskLoss), kd=dict(type=KDLoss, temperature=1.0)),
)
