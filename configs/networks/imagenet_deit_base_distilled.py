"""DeiT-B/16 with a distillation token, as mmpretrain's deit-base-distilled, to be trained."""

from mmengine.model import ConstantInit, TruncNormalInit
from mmpretrain.models import DistilledVisionTransformer, ImageClassifier, LabelSmoothLoss

from cls_kd.models import DistillationTokenHead

imagenet_deit_base_distilled = dict(
    type=ImageClassifier,
    backbone=dict(type=DistilledVisionTransformer, arch="deit-base", img_size=224, patch_size=16),
    neck=None,
    head=dict(
        type=DistillationTokenHead,
        num_classes=1000,
        in_channels=768,
        loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
    ),
    init_cfg=[
        dict(type=TruncNormalInit, layer="Linear", std=0.02),
        dict(type=ConstantInit, layer="LayerNorm", val=1.0, bias=0.0),
    ],
)
