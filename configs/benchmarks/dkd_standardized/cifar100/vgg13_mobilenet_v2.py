# As sunshangquan/logit-standardization-KD's base setting; it tunes temperature and weight by pair.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd_standardized import *
    from ....pairs.cifar100.vgg13_mobilenet_v2 import *

losses["dkd"]["loss"].update(beta=6.0)
model["losses"] = losses
