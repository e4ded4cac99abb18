"""ShuffleNetV2 1.0x, mmpretrain's shufflenet-v2-1x_16xb64_in1k (69.55)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ShuffleNetV2

imagenet_shufflenet_v2 = dict(
    type=ImageClassifier,
    backbone=dict(type=ShuffleNetV2, widen_factor=1.0),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=1024, topk=(1, 5)),
)
