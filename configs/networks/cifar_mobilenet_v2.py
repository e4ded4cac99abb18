"""MobileNetV2 of half width for 32x32 images: 812,836 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARMobileNetV2

cifar_mobilenet_v2 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARMobileNetV2, widen_factor=0.5),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=1280),
)
