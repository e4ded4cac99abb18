# As yzd-v/cls_KD's master: with mixup and CutMix; the teacher's stochastic depth is off.
from mmengine.config import read_base

with read_base():
    from ....methods.vitkd_nkd import *
    from ....pairs.imagenet.deit3_base_deit_small import *

model["losses"] = losses
