"""ResNet-50 of ImageNet's form with a small stem: 23,705,252 parameters with 100 classes."""

from mmpretrain.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    ResNet_CIFAR,
)

cifar_resnet50 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet_CIFAR, depth=50, zero_init_residual=False),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=2048, init_cfg=None),
)
