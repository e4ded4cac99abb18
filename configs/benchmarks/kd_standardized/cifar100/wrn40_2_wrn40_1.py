# As sunshangquan/logit-standardization-KD's base setting; it tunes temperature and weight by pair.
from mmengine.config import read_base

with read_base():
    from ....methods.kd_standardized import *
    from ....pairs.cifar100.wrn40_2_wrn40_1 import *

model["losses"] = losses
