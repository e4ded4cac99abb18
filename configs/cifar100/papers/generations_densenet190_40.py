"""As generations.py with DenseNet-190-40."""

from mmengine.config import read_base

with read_base():
    from ...networks.cifar_densenet190_40 import *
    from .generations import *

model["student"] = cifar_densenet190_40
report.update(title="CIFAR-100: generations of DenseNet-190-40")
