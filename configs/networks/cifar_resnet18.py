"""ResNet-18 of ImageNet's form with a small stem: 11,220,132 parameters with 100 classes."""

from mmpretrain.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    ResNet_CIFAR,
)

cifar_resnet18 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet_CIFAR, depth=18),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=512),
)
