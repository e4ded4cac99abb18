"""Swin-T, mmpretrain's swin-tiny_16xb64_in1k (81.18); smoothed labels."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LabelSmoothLoss,
    LinearClsHead,
    SwinTransformer,
)

imagenet_swin_tiny = dict(
    type=ImageClassifier,
    backbone=dict(type=SwinTransformer, arch="tiny", img_size=224, drop_path_rate=0.2),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead,
        num_classes=1000,
        in_channels=768,
        init_cfg=None,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=[
        dict(type=TruncNormalInit, layer="Linear", std=0.02, bias=0.0),
        dict(type=ConstantInit, layer="LayerNorm", val=1.0, bias=0.0),
    ],
)
