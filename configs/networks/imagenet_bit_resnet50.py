"""BiT-R50x1, a pre-activation ResNet with group normalization: timm's resnetv2_50x1_bit."""

from mmpretrain.models import CrossEntropyLoss, TimmClassifier

imagenet_bit_resnet50 = dict(
    type=TimmClassifier,
    model_name="resnetv2_50x1_bit",
    num_classes=1000,
    loss=dict(type=CrossEntropyLoss),
)
