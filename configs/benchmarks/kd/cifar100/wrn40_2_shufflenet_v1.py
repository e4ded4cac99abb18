# As HobbitLong/RepDistiller's scripts.
from mmengine.config import read_base

with read_base():
    from ....methods.kd import *
    from ....pairs.cifar100.wrn40_2_shufflenet_v1 import *

model["losses"] = losses
