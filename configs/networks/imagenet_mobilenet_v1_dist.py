"""MobileNetV1 started as in hunto/image_classification_sota: its bound is 1 / sqrt(classes)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import MobileNetV1

imagenet_mobilenet_v1_dist = dict(
    type=ImageClassifier,
    backbone=dict(type=MobileNetV1, init_cfg=dict(type="Kaiming", layer="Conv2d")),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=1024, topk=(1, 5)),
)
imagenet_mobilenet_v1_dist["head"]["init_cfg"] = dict(
    type="Uniform", layer="Linear", a=-(1000**-0.5), b=1000**-0.5
)
