"""DeiT-S/16, mmpretrain's deit-small_4xb256_in1k (80.69); smoothed labels."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import (
    ImageClassifier,
    LabelSmoothLoss,
    VisionTransformer,
    VisionTransformerClsHead,
)

imagenet_deit_small = dict(
    type=ImageClassifier,
    backbone=dict(type=VisionTransformer, arch="deit-small", img_size=224, patch_size=16),
    neck=None,
    head=dict(
        type=VisionTransformerClsHead,
        num_classes=1000,
        in_channels=384,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=[
        dict(type=TruncNormalInit, layer="Linear", std=0.02),
        dict(type=ConstantInit, layer="LayerNorm", val=1.0, bias=0.0),
    ],
)
