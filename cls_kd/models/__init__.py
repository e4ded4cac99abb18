"""Networks that are deployed and that mmpretrain lacks."""

from cls_kd.models.digits_cnn import DigitsCNN

__all__ = ["DigitsCNN"]
