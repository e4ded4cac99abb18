# As yzd-v/cls_KD's master: with mixup and CutMix; the teacher's stochastic depth is off.
from mmengine.config import read_base

with read_base():
    from ....methods.nkd import *
    from ....pairs.imagenet.deit3_small_deit_tiny import *

losses["nkd"].update(temperature=1.0, gamma=1.0)
model["losses"] = losses
