"""A small vision transformer taught by a larger one; 100 labeled images.

cls-kd train digits/transformer --method vitkd
"""

from mmengine.config import read_base
from mmpretrain.models import ImageClassifier, VisionTransformer, VisionTransformerClsHead
from torch.optim import AdamW

with read_base():
    from .pair import *


def _network(width, blocks, heads):
    """Patches of 2x2 pixels: a class token and 16 patch tokens."""
    arch = dict(
        embed_dims=width, num_layers=blocks, num_heads=heads, feedforward_channels=2 * width
    )
    return dict(
        type=ImageClassifier,
        backbone=dict(type=VisionTransformer, arch=arch, img_size=8, patch_size=2, in_channels=1),
        head=dict(type=VisionTransformerClsHead, num_classes=10, in_channels=width),
    )


_teacher = _network(64, 5, 4)
model["student"] = _network(32, 4, 4)
model["teacher"] = dict(network=_teacher, weights="run:teacher")
teacher["model"]["student"] = dict(_delete_=True, **_teacher)
cnn_optimizer = optim_wrapper["optimizer"]
optim_wrapper["optimizer"] = dict(type=AdamW, lr=5e-3, weight_decay=0.05)
runs = {"teacher": teacher, "{method}": dict()}
