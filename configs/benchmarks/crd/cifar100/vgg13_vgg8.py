# As HobbitLong/RepDistiller's scripts.
from mmengine.config import read_base

with read_base():
    from ....methods.crd import *
    from ....pairs.cifar100.vgg13_vgg8 import *

model["losses"] = losses
