"""Arguments of the writer of a format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cls_kd.engine.export.images import ExportImages
from cls_kd.engine.export.student import Student


@dataclass(frozen=True)
class ExportTask:
    """A student, and where it is to be written.

    Attributes:
        student: What is exported.
        output: Folder whose files are delivered.
        scratch: Folder for files in between, which several formats may share.
        images: The config's data; None where there are none.
    """

    student: Student
    output: Path
    scratch: Path
    images: ExportImages | None
