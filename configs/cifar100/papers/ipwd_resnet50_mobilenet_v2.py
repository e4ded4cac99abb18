"""As ipwd.py with ResNet-50 as the teacher and MobileNetV2 as the student."""

from mmengine.config import read_base

with read_base():
    from ...networks.cifar_mobilenet_v2 import *
    from ...networks.cifar_resnet50 import *
    from .ipwd import *

model["student"] = cifar_mobilenet_v2
model["teacher"] = dict(network=cifar_resnet50, weights="run:teacher")
runs["teacher"]["model"]["student"] = dict(_delete_=True, **cifar_resnet50)
report.update(title="CIFAR-100: IPWD, ResNet-50 to MobileNetV2")
