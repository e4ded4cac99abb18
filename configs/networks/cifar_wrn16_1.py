"""WRN-16-1 for 32x32 images: 180,916 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARWideResNet

cifar_wrn16_1 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARWideResNet, depth=16, widen=1),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=64),
)
cifar_wrn16_1["head"]["init_cfg"] = dict(type="Uniform", layer="Linear", a=-(64**-0.5), b=64**-0.5)
