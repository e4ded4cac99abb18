# Weight 0.8 as on CIFAR-100; the schedule of the pair, whose teacher is mmpretrain's.
from mmengine.config import read_base

with read_base():
    from ....methods.crd import *
    from ....pairs.imagenet.resnet34_resnet18 import *

losses["crd"].update(draws="independent")
model["losses"] = losses
