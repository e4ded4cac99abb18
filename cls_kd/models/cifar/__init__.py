"""Networks for 32x32 images, as the literature on distillation uses them on CIFAR-100."""

from cls_kd.models.cifar.densenet import CIFARDenseNet
from cls_kd.models.cifar.mobilenet_v2 import CIFARMobileNetV2
from cls_kd.models.cifar.preact_resnet import CIFARPreActResNet, CIFARWideResNet
from cls_kd.models.cifar.resnet import CIFARResNet
from cls_kd.models.cifar.shufflenet_v1 import CIFARShuffleNetV1
from cls_kd.models.cifar.shufflenet_v2 import CIFARShuffleNetV2
from cls_kd.models.cifar.vgg import CIFARVGG

__all__ = [
    "CIFARVGG",
    "CIFARDenseNet",
    "CIFARMobileNetV2",
    "CIFARPreActResNet",
    "CIFARResNet",
    "CIFARShuffleNetV1",
    "CIFARShuffleNetV2",
    "CIFARWideResNet",
]
