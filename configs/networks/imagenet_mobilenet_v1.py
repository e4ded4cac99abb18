"""MobileNetV1 at full width, started as in yzd-v/cls_KD: Kaiming, and N(0, 0.01)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import MobileNetV1

imagenet_mobilenet_v1 = dict(
    type=ImageClassifier,
    backbone=dict(type=MobileNetV1, init_cfg=dict(type="Kaiming", layer="Conv2d")),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=1024, topk=(1, 5)),
)
