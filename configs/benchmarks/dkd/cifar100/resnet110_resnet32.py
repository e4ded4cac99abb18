# As megvii-research/mdistiller.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.cifar100.resnet110_resnet32 import *

losses["dkd"].update(beta=2.0)
model["losses"] = losses
