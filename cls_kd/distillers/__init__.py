"""The distiller and the frozen teacher."""

from cls_kd.distillers.distiller import Distiller
from cls_kd.distillers.teacher import Teacher

__all__ = ["Distiller", "Teacher"]
