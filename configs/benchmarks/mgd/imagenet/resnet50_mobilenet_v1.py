# As yzd-v/MGD.
from mmengine.config import read_base

with read_base():
    from ....methods.mgd import *
    from ....pairs.imagenet.resnet50_mobilenet_v1 import *

losses["mgd"].update(weight=7e-5)
model["losses"] = losses
