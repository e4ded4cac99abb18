"""A trained student without this project: several file formats, each checked against the student.

``read_student`` collects what a user of the student must know, ``export`` writes it. What a format
is stands in one file each; ``formats.FORMATS`` lists them by name.
"""

from cls_kd.engine.export.backbone import backbone_of, check_backbone_formats
from cls_kd.engine.export.formats import BACKBONE_FORMATS, DEFAULT_FORMATS, FORMATS
from cls_kd.engine.export.images import ExportImages
from cls_kd.engine.export.report import ExportedFormat
from cls_kd.engine.export.student import Student, read_student
from cls_kd.engine.export.verification import TOLERANCE
from cls_kd.engine.export.write import export

__all__ = [
    "BACKBONE_FORMATS",
    "DEFAULT_FORMATS",
    "FORMATS",
    "TOLERANCE",
    "ExportImages",
    "ExportedFormat",
    "Student",
    "backbone_of",
    "check_backbone_formats",
    "export",
    "read_student",
]
