# As yzd-v/MGD.
from mmengine.config import read_base

with read_base():
    from ....methods.mgd import *
    from ....pairs.imagenet.resnet34_resnet18 import *

losses["mgd"].update(weight=7e-5)
model["losses"] = losses
