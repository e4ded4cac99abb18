"""ResNet-34, mmpretrain's resnet34_8xb32_in1k (73.62)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

imagenet_resnet34 = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=34),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=512, topk=(1, 5)),
)
