"""ResNet-34 of ImageNet's form with a small stem: 21,328,292 parameters with 100 classes."""

from mmpretrain.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    ResNet_CIFAR,
)

cifar_resnet34 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet_CIFAR, depth=34),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=512),
)
