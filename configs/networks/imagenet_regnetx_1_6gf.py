"""RegNetX-1.6GF, mmpretrain's regnetx-1.6gf_8xb128_in1k (76.84)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, RegNet

imagenet_regnetx_1_6gf = dict(
    type=ImageClassifier,
    backbone=dict(type=RegNet, arch="regnetx_1.6gf"),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=912, topk=(1, 5)),
)
