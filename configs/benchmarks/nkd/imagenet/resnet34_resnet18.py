# As yzd-v/cls_KD, but the teacher stays in eval mode.
from mmengine.config import read_base

with read_base():
    from ....methods.nkd import *
    from ....pairs.imagenet.resnet34_resnet18 import *

losses["nkd"].update(temperature=1.0, gamma=1.5)
model["losses"] = losses
