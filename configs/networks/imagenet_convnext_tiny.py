"""ConvNeXt-T, mmpretrain's convnext-tiny_32xb128_in1k (82.14); smoothed labels."""

from mmengine.model import TruncNormalInit
from mmpretrain.models import ConvNeXt, ImageClassifier, LabelSmoothLoss, LinearClsHead

imagenet_convnext_tiny = dict(
    type=ImageClassifier,
    backbone=dict(type=ConvNeXt, arch="tiny", drop_path_rate=0.1),
    head=dict(
        type=LinearClsHead,
        num_classes=1000,
        in_channels=768,
        init_cfg=None,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=dict(type=TruncNormalInit, layer=["Conv2d", "Linear"], std=0.02, bias=0.0),
)
