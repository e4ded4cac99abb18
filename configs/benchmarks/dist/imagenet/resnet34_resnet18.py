# As hunto/DIST_KD: temperature 1; its teacher is torchvision's.
from mmengine.config import read_base

with read_base():
    from ....methods.dist import *
    from ....pairs.imagenet.resnet34_resnet18 import *

losses["dist"].update(temperature=1.0)
model["losses"] = losses
