# As megvii-research/mdistiller; beta of this pair is ours, as for ResNet-50 to MobileNetV2.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.cifar100.resnet50_vgg8 import *

losses["dkd"].update(beta=8.0)
model["losses"] = losses
