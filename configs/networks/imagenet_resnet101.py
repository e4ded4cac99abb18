"""ResNet-101, mmpretrain's resnet101_8xb32_in1k (77.97)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

imagenet_resnet101 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=101),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=2048, topk=(1, 5)),
)
