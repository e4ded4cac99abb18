# As yzd-v/cls_KD, with stage 3 as wide as it is: 464 (484 there, which fails).
from mmengine.config import read_base

with read_base():
    from ....methods.uskd import *
    from ....pairs.imagenet.shufflenet_v2 import *

losses["uskd"].update(alpha=1.0, beta=0.1, mu=0.005)
# Its last 1x1 convolution counts as a stage.
model.update(student_taps=dict(stages=tuple(f"backbone.layers.{i}" for i in range(4))))
model["losses"] = losses
