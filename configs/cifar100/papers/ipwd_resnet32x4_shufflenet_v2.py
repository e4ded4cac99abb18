"""As ipwd.py with ShuffleNetV2 as the student."""

from mmengine.config import read_base

with read_base():
    from ...networks.cifar_shufflenet_v2 import *
    from .ipwd import *

model["student"] = cifar_shufflenet_v2
report.update(title="CIFAR-100: IPWD, ResNet32x4 to ShuffleNetV2")
