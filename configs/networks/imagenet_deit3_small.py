"""DeiT III-S/16, of mmpretrain's deit3-small-p16_in21k-pre_3rdparty_in1k (83.06)."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import (
    DeiT3,
    ImageClassifier,
    LabelSmoothLoss,
    VisionTransformerClsHead,
)

imagenet_deit3_small = dict(
    type=ImageClassifier,
    backbone=dict(type=DeiT3, arch="s", img_size=224, patch_size=16, drop_path_rate=0.05),
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
