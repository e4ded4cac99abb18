# As HobbitLong/RepDistiller's scripts.
from mmengine.config import read_base

with read_base():
    from ....methods.fitnet import *
    from ....pairs.cifar100.wrn40_2_wrn40_1 import *

model["losses"] = losses
