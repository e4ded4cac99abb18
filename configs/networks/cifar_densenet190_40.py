"""DenseNet-BC-190-40 for 32x32 images: 25,821,620 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARDenseNet

cifar_densenet190_40 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARDenseNet, depth=190, growth=40),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=2190, init_cfg=None),
)
