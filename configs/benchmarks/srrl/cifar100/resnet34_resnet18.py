# As yzd-v/cls_KD meant it; 1.0 there ignores this schedule, and the teacher is not in eval mode.
from mmengine.config import read_base

with read_base():
    from ....methods.srrl import *
    from ....pairs.cifar100.resnet34_resnet18 import *

model["losses"] = losses
