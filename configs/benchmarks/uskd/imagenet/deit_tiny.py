# As yzd-v/cls_KD's master: with mixup and CutMix, which its 1.0 branch drops.
from mmengine.config import read_base

with read_base():
    from ....methods.uskd_token import *
    from ....pairs.imagenet.deit_tiny import *

model["losses"] = losses
