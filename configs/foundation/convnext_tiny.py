"""A ConvNeXt-T from DINOv3, without labels, then with some: docs/guides/foundation_models.md."""

from mmengine.config import read_base

with read_base():
    from .._base_.protocols.foundation import *

model["student"] = dict(type=TimmClassifier, model_name="convnext_tiny", num_classes=10)
