"""The distiller and the frozen teacher."""

from cls_kd.distillers.distiller import Distiller
from cls_kd.distillers.teacher import Teacher
from cls_kd.distillers.teacher_classifier import TeacherClassifier

__all__ = ["Distiller", "Teacher", "TeacherClassifier"]
