# As sunshangquan/logit-standardization-KD's base setting; it tunes temperature and weight by pair.
from mmengine.config import read_base

with read_base():
    from ....methods.kd_standardized import *
    from ....pairs.cifar100.vgg13_vgg8 import *

model["losses"] = losses
