"""ResNet-18, mmpretrain's resnet18_8xb32_in1k (69.90)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

imagenet_resnet18 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=18),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=512, topk=(1, 5)),
)
