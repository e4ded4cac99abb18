"""ResNet-18 started as torchvision's: last batch norms at 1, the classifier uniform."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

imagenet_resnet18_torchvision = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=18, zero_init_residual=False),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=512, topk=(1, 5), init_cfg=None),
)
