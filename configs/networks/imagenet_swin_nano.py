"""Swin-N of Hao840/OFAKD: two blocks a stage, from 64 channels; smoothed labels."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LabelSmoothLoss,
    LinearClsHead,
    SwinTransformer,
)

imagenet_swin_nano = dict(
    type=ImageClassifier,
    backbone=dict(
        type=SwinTransformer,
        arch=dict(embed_dims=64, depths=[2, 2, 2, 2], num_heads=[2, 4, 8, 16]),
        img_size=224,
        drop_path_rate=0.0,
    ),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead,
        num_classes=1000,
        in_channels=512,
        init_cfg=None,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=[
        dict(type=TruncNormalInit, layer="Linear", std=0.02, bias=0.0),
        dict(type=ConstantInit, layer="LayerNorm", val=1.0, bias=0.0),
    ],
)
