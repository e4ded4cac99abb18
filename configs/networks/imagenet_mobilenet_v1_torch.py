"""MobileNetV1 at full width; all weights start as torch has them, as in mdistiller."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import MobileNetV1

imagenet_mobilenet_v1_torch = dict(
    type=ImageClassifier,
    backbone=dict(type=MobileNetV1),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=1024, topk=(1, 5), init_cfg=None),
)
