# As HobbitLong/RepDistiller's scripts.
from mmengine.config import read_base

with read_base():
    from ....methods.kd import *
    from ....pairs.cifar100.vgg13_mobilenet_v2 import *

model["losses"] = losses
