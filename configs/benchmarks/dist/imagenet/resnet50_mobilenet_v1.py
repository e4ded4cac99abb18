# As hunto/DIST_KD: temperature 1; its teacher is torchvision's.
from mmengine.config import read_base

with read_base():
    from ....methods.dist import *
    from ....pairs.imagenet.resnet50_mobilenet_v1 import *

losses["dist"].update(temperature=1.0)
model["losses"] = losses
