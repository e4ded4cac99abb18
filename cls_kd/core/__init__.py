"""The distiller and the frozen teacher, on PyTorch alone."""

from cls_kd.core.distiller import Distiller
from cls_kd.core.teacher import Teacher
from cls_kd.core.teacher_protocol import TeacherProtocol
from cls_kd.core.terms import Term

__all__ = ["Distiller", "Teacher", "TeacherProtocol", "Term"]
