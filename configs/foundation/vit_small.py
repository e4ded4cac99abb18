"""A ViT-S/16 from DINOv3, without labels, then with some: docs/guides/foundation_models.md."""

from mmengine.config import read_base

with read_base():
    from .._base_.protocols.foundation import *

model["student"] = dict(
    type=TimmClassifier,
    model_name="vit_small_patch16_224",
    num_classes=10,
    img_size=224,
    dynamic_img_size=True,
)
