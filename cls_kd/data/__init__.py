"""Data sets, transforms and preprocessing that mmpretrain lacks."""

from cls_kd.data.batch_augments import LabelSmoothing
from cls_kd.data.cifar import CIFAR10, CIFAR100
from cls_kd.data.cinic import CINIC10
from cls_kd.data.crop_flip import RandomCropFlip
from cls_kd.data.digits import Digits
from cls_kd.data.held_out import held_out_split
from cls_kd.data.in_memory import ImagesInMemory
from cls_kd.data.mixtures import MixtureViews, mixture_view
from cls_kd.data.pairs import ClassPairs
from cls_kd.data.preprocessor import BatchPreprocessor
from cls_kd.data.replay import SeededSamples
from cls_kd.data.rotations import Rotations
from cls_kd.data.samplers import LastBatchSampler
from cls_kd.data.skip_unreadable import SkipUnreadable
from cls_kd.data.transforms import RandomShift
from cls_kd.data.unlabeled import Unlabeled, UnlabeledFolder
from cls_kd.data.views import StrongViews, Views

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CINIC10",
    "BatchPreprocessor",
    "ClassPairs",
    "Digits",
    "ImagesInMemory",
    "LabelSmoothing",
    "LastBatchSampler",
    "MixtureViews",
    "RandomCropFlip",
    "RandomShift",
    "Rotations",
    "SeededSamples",
    "SkipUnreadable",
    "StrongViews",
    "Unlabeled",
    "UnlabeledFolder",
    "Views",
    "held_out_split",
    "mixture_view",
]
