# As megvii-research/mdistiller: weight 0.8, batch 256, learning rate 0.1.
from mmengine.config import read_base

with read_base():
    from ....methods.crd import *
    from ....pairs.imagenet.resnet34_resnet18_torchvision import *

losses["crd"].update(draws="independent")
model["losses"] = losses
