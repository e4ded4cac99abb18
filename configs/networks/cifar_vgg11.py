"""VGG-11 with batch norm for 32x32 images: 9,277,284 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARVGG

cifar_vgg11 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARVGG, depth=11),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=512),
)
