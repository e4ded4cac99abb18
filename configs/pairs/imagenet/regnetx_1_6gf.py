"""ImageNet, RegNetX-1.6GF with no teacher, for methods of self-distillation."""

from mmengine.config import read_base

with read_base():
    from ...baselines.imagenet.regnetx_1_6gf import *
