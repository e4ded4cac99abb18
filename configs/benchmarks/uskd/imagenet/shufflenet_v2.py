# As yzd-v/cls_KD, with stage 3 as wide as it is: 464 (484 there, which fails).
from mmengine.config import read_base

with read_base():
    from ....methods.uskd import *
    from ....pairs.imagenet.shufflenet_v2 import *

losses["uskd"].update(alpha=1.0, beta=0.1, mu=0.005)
model["losses"] = losses
