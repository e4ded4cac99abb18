"""ResMLP-S12, timm's resmlp_12_224; smoothed labels."""

from mmpretrain.models import LabelSmoothLoss, TimmClassifier

imagenet_resmlp_s12 = dict(
    type=TimmClassifier,
    model_name="resmlp_12_224",
    num_classes=1000,
    loss=dict(type=LabelSmoothLoss, label_smooth_val=0.1, mode="original"),
)
