"""VGG-16 with batch norm for 32x32 images: 14,774,436 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARVGG

cifar_vgg16 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARVGG, depth=16),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=512),
)
