# As yzd-v/cls_KD@de48db4: it has no setting.
from mmengine.config import read_base

with read_base():
    from ....methods.tf_nkd import *
    from ....pairs.imagenet.resnet18 import *

model["losses"] = losses
