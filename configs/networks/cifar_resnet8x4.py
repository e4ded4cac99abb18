"""ResNet-8x4, a wider ResNet-8 for 32x32 images: 1,233,540 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARResNet

cifar_resnet8x4 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=8, widths=(32, 64, 128, 256)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=256, init_cfg=None),
)
