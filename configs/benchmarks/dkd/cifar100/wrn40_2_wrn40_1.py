# As megvii-research/mdistiller.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.cifar100.wrn40_2_wrn40_1 import *

losses["dkd"].update(beta=6.0)
model["losses"] = losses
