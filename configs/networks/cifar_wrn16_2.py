"""WRN-16-2 for 32x32 images: 703,284 parameters with 100 classes."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import CIFARWideResNet

cifar_wrn16_2 = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARWideResNet, depth=16, widen=2),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=100, in_channels=128),
)
cifar_wrn16_2["head"]["init_cfg"] = dict(
    type="Uniform", layer="Linear", a=-(128**-0.5), b=128**-0.5
)
