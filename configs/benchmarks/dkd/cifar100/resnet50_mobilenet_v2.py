# As megvii-research/mdistiller.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.cifar100.resnet50_mobilenet_v2 import *

losses["dkd"].update(beta=8.0)
model["losses"] = losses
