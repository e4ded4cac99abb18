"""A small vision transformer taught by a larger one; 100 labeled images.

cls-kd train digits/transformer --method vitkd
"""

from mmengine.config import read_base
from mmpretrain.models import ImageClassifier, VisionTransformer, VisionTransformerClsHead
from torch.optim import AdamW

with read_base():
    from .pair import *

# Patches of 2x2 pixels: a class token and 16 patch tokens.
images = dict(img_size=8, patch_size=2, in_channels=1)
small = dict(embed_dims=32, num_layers=4, num_heads=4, feedforward_channels=64)
large = dict(embed_dims=64, num_layers=5, num_heads=4, feedforward_channels=128)
large_transformer = dict(
    type=ImageClassifier,
    backbone=dict(type=VisionTransformer, arch=large, **images),
    head=dict(type=VisionTransformerClsHead, num_classes=10, in_channels=64),
)
model["student"] = dict(
    type=ImageClassifier,
    backbone=dict(type=VisionTransformer, arch=small, **images),
    head=dict(type=VisionTransformerClsHead, num_classes=10, in_channels=32),
)
model["teacher"] = dict(network=large_transformer, weights="run:teacher")
teacher["model"]["student"] = dict(_delete_=True, **large_transformer)
cnn_optimizer = optim_wrapper["optimizer"]
optim_wrapper["optimizer"] = dict(type=AdamW, lr=5e-3, weight_decay=0.05)
runs = {"teacher": teacher, "{method}": dict()}
