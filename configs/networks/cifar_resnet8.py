"""ResNet-8 for 32x32 images: 83,892 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARResNet

cifar_resnet8 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=8),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=64, init_cfg=None),
)
