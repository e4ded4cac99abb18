# As hunto/image_classification_sota: temperature 1, Nesterov, no decay of biases and batch norm.
from mmengine.config import read_base

with read_base():
    from ....methods.dist import *
    from ....pairs.imagenet.resnet50_mobilenet_v1_torchvision import *
    from ....networks.imagenet_mobilenet_v1_dist import *

losses["dist"].update(temperature=1.0)
optim_wrapper["optimizer"].update(nesterov=True)
optim_wrapper.update(paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
model["losses"] = losses
model["student"] = imagenet_mobilenet_v1_dist
