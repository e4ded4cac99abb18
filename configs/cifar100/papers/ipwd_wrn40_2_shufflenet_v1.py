"""As ipwd.py with WRN-40-2 as the teacher."""

from mmengine.config import read_base

with read_base():
    from ...networks.cifar_wrn40_2 import *
    from .ipwd import *

model["teacher"] = dict(network=cifar_wrn40_2, weights="run:teacher")
runs["teacher"]["model"]["student"] = dict(_delete_=True, **cifar_wrn40_2)
report.update(title="CIFAR-100: IPWD, WRN-40-2 to ShuffleNetV1")
