"""ResNet-50, mmpretrain's resnet50_8xb32_in1k (76.55)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

imagenet_resnet50 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=50),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=2048, topk=(1, 5)),
)
