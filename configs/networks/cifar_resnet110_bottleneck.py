"""ResNet-110 of OKDDip (arXiv:1912.00350), of 36 bottleneck blocks."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARResNet

cifar_resnet110_bottleneck = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=110, block="bottleneck"),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=256, init_cfg=None),
)
