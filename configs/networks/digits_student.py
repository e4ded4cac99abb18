"""DigitsCNN 4-8-8."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.models import DigitsCNN

digits_student = dict(
    type=ImageClassifier,
    backbone=dict(type=DigitsCNN, widths=(4, 8, 8)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=10, in_channels=8),
)
