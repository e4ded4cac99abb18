"""Writing a student in several formats, all of them or none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cls_kd.engine.export.formats import FORMATS
from cls_kd.engine.export.images import ExportImages, LabelledImages
from cls_kd.engine.export.report import ExportedFormat, write_report
from cls_kd.engine.export.student import Student
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import accuracy, largest_difference


def export(
    student: Student,
    out_dir: Path,
    formats: Sequence[str],
    images: ExportImages | None = None,
) -> dict[str, ExportedFormat]:
    """Write a student in each format, check each file, and say how it is used.

    Everything is written to a folder of temporary name, read back, compared with the student, and
    only then moved to its place.

    Args:
        student: From ``read_student``.
        out_dir: Made where it is missing; files of the same names in it are replaced.
        formats: Names in ``FORMATS``.
        images: The config's data. Formats that round weights are measured on them; without, only
            their logits on random inputs are compared. ``onnx-int8`` needs them.

    Returns:
        What was written, by format.

    Raises:
        UserError: A package or data are missing, the network cannot be written in a format, or what
            was written does not give the student's logits; then nothing is left behind.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        output, scratch = temporary / "output", temporary / "scratch"
        output.mkdir()
        scratch.mkdir()
        task = ExportTask(student, output, scratch, images)
        rounded = any(FORMATS[name].tolerance is None for name in formats)
        evaluated = images.evaluation_images() if rounded and images else None
        exported = {name: _write(task, name, evaluated) for name in formats}
        write_report(student, exported, output)
        out_dir.mkdir(exist_ok=True)
        for file in sorted(output.iterdir()):
            file.replace(out_dir / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return exported


def _write(task: ExportTask, name: str, images: LabelledImages | None) -> ExportedFormat:
    form = FORMATS[name]
    predictor = form.write(task)
    difference = largest_difference(task.student, predictor, form.tolerance)
    measured = None
    if form.tolerance is None and images is not None:
        # Random inputs are outside of the ranges that int8 was calibrated for: the figure of real
        # images says more.
        measured = accuracy(task.student, predictor, images)
        difference = measured.difference
    sizes = {file: (task.output / file).stat().st_size for file in form.files}
    return ExportedFormat(name, sizes, difference, measured)
