"""PreAct-ResNet-18 for 32x32 images: 11,218,340 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARPreActResNet

cifar_preact_resnet18 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARPreActResNet),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=512, init_cfg=None),
)
