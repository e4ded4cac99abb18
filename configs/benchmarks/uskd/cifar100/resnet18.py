# As yzd-v/cls_KD meant it: its 1.0 branch drops this schedule and weight decay.
from mmengine.config import read_base

with read_base():
    from ....methods.uskd import *
    from ....pairs.cifar100.resnet18 import *

model["losses"] = losses
