"""ImageNet, ShuffleNetV2 with no teacher, for methods of self-distillation."""

from mmengine.config import read_base

with read_base():
    from ...baselines.imagenet.shufflenet_v2 import *

# Its last 1x1 convolution counts as a stage, so that USKD's second to last one is stage 3.
model.update(student_taps=dict(stages=tuple(f"backbone.layers.{i}" for i in range(4))))
