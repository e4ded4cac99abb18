"""DeiT III-L/16, of mmpretrain's deit3-large-p16_in21k-pre_3rdparty_in1k (86.97)."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import (
    DeiT3,
    ImageClassifier,
    LabelSmoothLoss,
    VisionTransformerClsHead,
)

imagenet_deit3_large = dict(
    type=ImageClassifier,
    backbone=dict(type=DeiT3, arch="l", img_size=224, patch_size=16, drop_path_rate=0.45),
    neck=None,
    head=dict(
        type=VisionTransformerClsHead,
        num_classes=1000,
        in_channels=1024,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=[
        dict(type=TruncNormalInit, layer="Linear", std=0.02),
        dict(type=ConstantInit, layer="LayerNorm", val=1.0, bias=0.0),
    ],
)
