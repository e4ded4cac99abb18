# As bellymonster/Weighted-Soft-Label-Distillation, with Nesterov's momentum.
from mmengine.config import read_base

with read_base():
    from ....methods.wsld import *
    from ....pairs.imagenet.resnet50_mobilenet_v1_torchvision import *

losses["wsld"].update(temperature=2.0, weight=2.5)
optim_wrapper["optimizer"].update(nesterov=True)
model["losses"] = losses
