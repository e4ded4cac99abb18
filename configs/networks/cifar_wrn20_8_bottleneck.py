"""WRN-20-8 of OKDDip (arXiv:1912.00350): six wide bottleneck blocks."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARResNet

cifar_wrn20_8_bottleneck = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=20, block="bottleneck", inner_widen=8),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=256, init_cfg=None),
)
