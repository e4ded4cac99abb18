# As HobbitLong/RepDistiller's scripts.
from mmengine.config import read_base

with read_base():
    from ....methods.rkd import *
    from ....pairs.cifar100.resnet110_resnet20 import *

model["losses"] = losses
