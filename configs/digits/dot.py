"""DOT on the digits: KD whose gradient has a momentum of its own.

tools/train.py configs/digits/dot.py
"""

from mmengine.config import read_base

from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.optimizers import DOT

with read_base():
    from .pair import *

# The teacher has labels alone, whose gradient is the only one.
teacher["optim_wrapper"] = dict(_delete_=True, **optim_wrapper)
# Without a limit to the gradients, which nobody has defined for two: hence the smaller rate.
optim_wrapper = dict(
    type=SeparateGradientsOptimWrapper,
    optimizer=dict(type=DOT, lr=0.05, momentum=0.9, delta=0.075, weight_decay=5e-4),
)
runs = dict(teacher=teacher, dot=dict())
