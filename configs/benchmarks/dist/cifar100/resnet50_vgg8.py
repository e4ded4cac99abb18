# As hunto/DIST_KD: temperature 4, overall weight 2 for every pair.
from mmengine.config import read_base

with read_base():
    from ....methods.dist import *
    from ....pairs.cifar100.resnet50_vgg8 import *

model["losses"] = losses
