# As yzd-v/cls_KD meant it; 1.0 there ignores this schedule, and the teacher is not in eval mode.
from mmengine.config import read_base

with read_base():
    from ....methods.kd import *
    from ....pairs.cifar100.resnet34_resnet18 import *

losses["ce"].update(weight=0.5)
losses["kd"].update(temperature=3.0, weight=0.5)
model["losses"] = losses
