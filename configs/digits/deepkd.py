"""DeepKD on the digits: DKD whose two terms and the labels have a momentum each.

tools/train.py configs/digits/deepkd.py
"""

from mmengine.config import read_base

from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.losses import DeepKDNonTargetLoss, DeepKDTargetLoss, TaskLoss
from cls_kd.optimizers import DeepKD

with read_base():
    from .pair import *

model["losses"] = dict(
    ce=dict(type=TaskLoss),
    target=dict(type=DeepKDTargetLoss),
    non_target=dict(type=DeepKDNonTargetLoss),
)
# The teacher has labels alone, whose gradient is the only one.
teacher["optim_wrapper"] = dict(_delete_=True, **optim_wrapper)
# Without a limit to the gradients, which nobody has defined for three: hence the smaller rate.
optim_wrapper = dict(
    type=SeparateGradientsOptimWrapper,
    optimizer=dict(type=DeepKD, lr=0.01, momentum=0.9, weight_decay=5e-4),
)
runs = [teacher, dict(name="deepkd")]
