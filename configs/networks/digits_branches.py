"""Three DigitsCNN 4-8-8 that share the first stage, or as many as a method wants."""

from mmpretrain.models import GlobalAveragePooling, LinearClsHead

from cls_kd.models import DigitsCNN, FeatureFusion, MultiBranchClassifier

digits_branches = dict(
    type=MultiBranchClassifier,
    backbone=dict(type=DigitsCNN, widths=(4, 8, 8)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=10, in_channels=8),
    cut_after="stage1",
    num_branches=3,
    fusion=dict(type=FeatureFusion),
)
