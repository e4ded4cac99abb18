"""The runs of foundation.py with three seeds each, in place of ten."""

from mmengine.config import read_base

with read_base():
    from .foundation import *

for _name in ("pretrain", "probe", "finetune", "labels", "kd"):
    runs[_name]["seeds"] = [0, 1, 2]
