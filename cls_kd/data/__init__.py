"""Data sets, transforms and preprocessing that mmpretrain lacks."""

from cls_kd.data.batch_augments import LabelSmoothing
from cls_kd.data.digits import Digits
from cls_kd.data.preprocessor import BatchPreprocessor
from cls_kd.data.transforms import RandomShift

__all__ = ["BatchPreprocessor", "Digits", "LabelSmoothing", "RandomShift"]
