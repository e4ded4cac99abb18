"""DenseNet-BC-100-12 for 32x32 images: 800,032 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARDenseNet

cifar_densenet100_12 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARDenseNet, depth=100, growth=12),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=342, init_cfg=None),
)
