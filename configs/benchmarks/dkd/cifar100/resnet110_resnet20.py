# As megvii-research/mdistiller; beta of this pair is ours, as for ResNet-110 to ResNet-32.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.cifar100.resnet110_resnet20 import *

losses["dkd"].update(beta=2.0)
model["losses"] = losses
