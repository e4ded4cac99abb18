# As yzd-v/cls_KD, but the teacher stays in eval mode.
from mmengine.config import read_base

with read_base():
    from ....methods.nkd import *
    from ....pairs.imagenet.resnet50_mobilenet_v1 import *

losses["nkd"].update(temperature=1.0, gamma=1.5)
optim_wrapper.update(clip_grad=dict(max_norm=5.0))
model["losses"] = losses
