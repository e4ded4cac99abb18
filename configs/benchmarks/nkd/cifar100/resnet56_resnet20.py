# No setting is published for this pair: temperature 1 and gamma 1.5 are the ImageNet ones.
from mmengine.config import read_base

with read_base():
    from ....methods.nkd import *
    from ....pairs.cifar100.resnet56_resnet20 import *

losses["nkd"].update(temperature=1.0, gamma=1.5)
model["losses"] = losses
