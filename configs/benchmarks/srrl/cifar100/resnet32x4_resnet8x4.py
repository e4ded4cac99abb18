# The grid point (1, 5) of yzd-v/cls_KD; the authors name no point for this pair.
from mmengine.config import read_base

with read_base():
    from ....methods.srrl import *
    from ....pairs.cifar100.resnet32x4_resnet8x4 import *

model["losses"] = losses
