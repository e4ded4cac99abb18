"""A small vision transformer with a distillation token, taught by a CNN; 100 labeled images.

cls-kd train digits/distillation_token
"""

from mmengine.config import read_base
from mmpretrain.models import DistilledVisionTransformer

from cls_kd.losses import ClassTokenTaskLoss, DistillationTokenLoss, HardDistillationLoss
from cls_kd.models import DistillationTokenHead

with read_base():
    from .transformer_of_cnn import *

model["student"]["backbone"].update(type=DistilledVisionTransformer)
model["student"]["head"].update(type=DistillationTokenHead)
model["losses"] = dict(
    ce=dict(type=ClassTokenTaskLoss, weight=0.5),
    token=dict(type=DistillationTokenLoss, loss=dict(type=HardDistillationLoss), weight=0.5),
)
method = "distillation_token"
