"""Networks that are deployed and that mmpretrain lacks."""

from cls_kd.models.averaged_branches import AveragedMultiBranchClassifier
from cls_kd.models.cifar import (
    CIFARVGG,
    CIFARDenseNet,
    CIFARMobileNetV2,
    CIFARPreActResNet,
    CIFARResNet,
    CIFARShuffleNetV1,
    CIFARShuffleNetV2,
    CIFARWideResNet,
)
from cls_kd.models.digits_cnn import DigitsCNN
from cls_kd.models.distillation_token import DistillationTokenHead
from cls_kd.models.fusions import (
    AttentionFusion,
    EmbeddingClassifierFusion,
    FeatureClassifierFusion,
    FeatureFusion,
    GateFusion,
    MeanFusion,
)
from cls_kd.models.mobilenet_v1 import MobileNetV1
from cls_kd.models.multi_branch import MultiBranchClassifier
from cls_kd.models.n_to_one import NToOneClassifier
from cls_kd.models.projected_backbone import ProjectedBackbone

__all__ = [
    "CIFARVGG",
    "AttentionFusion",
    "AveragedMultiBranchClassifier",
    "CIFARDenseNet",
    "CIFARMobileNetV2",
    "CIFARPreActResNet",
    "CIFARResNet",
    "CIFARShuffleNetV1",
    "CIFARShuffleNetV2",
    "CIFARWideResNet",
    "DigitsCNN",
    "DistillationTokenHead",
    "EmbeddingClassifierFusion",
    "FeatureClassifierFusion",
    "FeatureFusion",
    "GateFusion",
    "MeanFusion",
    "MobileNetV1",
    "MultiBranchClassifier",
    "NToOneClassifier",
    "ProjectedBackbone",
]
