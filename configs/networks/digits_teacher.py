"""DigitsCNN 32-64-128, 94,186 parameters."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import DigitsCNN

digits_teacher = dict(
    type=ImageClassifier,
    backbone=dict(type=DigitsCNN, widths=(32, 64, 128)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=10, in_channels=128),
)
