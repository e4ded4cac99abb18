"""ShuffleNet V2 for 32x32 images: 1,355,528 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARShuffleNetV2

cifar_shufflenet_v2 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARShuffleNetV2),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=1024, init_cfg=None),
)
