# As yzd-v/cls_KD's master: with mixup and CutMix, which its 1.0 branch drops.
from mmengine.config import read_base

with read_base():
    from ....methods.uskd import *
    from ....pairs.imagenet.swin_tiny import *

losses["uskd"].update(alpha=1.0, beta=0.1, mu=0.005)
# The output of stage 3, and that of stage 4, as maps.
model["student"]["backbone"].update(out_indices=(2, 3))
model.update(student_taps=dict(stages=("backbone[0]", "backbone[1]")))
model["losses"] = losses
