"""MobileNetV2, mmpretrain's mobilenet-v2_8xb32_in1k (71.86)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, MobileNetV2

imagenet_mobilenet_v2 = dict(
    type=ImageClassifier,
    backbone=dict(type=MobileNetV2, widen_factor=1.0),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=1280, topk=(1, 5)),
)
