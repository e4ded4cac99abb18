"""ShuffleNet V1 for 32x32 images: 949,258 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARShuffleNetV1

cifar_shufflenet_v1 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARShuffleNetV1),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=960, init_cfg=None),
)
