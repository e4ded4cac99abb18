"""Report of an export, for people (``student.md``) and for programs (``student.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cls_kd.engine.export.formats import FORMATS
from cls_kd.engine.export.preprocessing import preprocessing_code
from cls_kd.engine.export.student import Student
from cls_kd.engine.export.verification import Accuracy

PAGE, FACTS = "student.md", "student.json"


@dataclass(frozen=True)
class ExportedFormat:
    """One format that was written.

    Attributes:
        name: As ``--formats`` takes it.
        sizes: File name to bytes.
        difference: Largest difference of a logit from the student's, on the images of ``accuracy``,
            or on random inputs where it is None.
        accuracy: On real images, for a format that rounds weights; None where not measured.
    """

    name: str
    sizes: dict[str, int]
    difference: float
    accuracy: Accuracy | None


def write_report(student: Student, exported: Mapping[str, ExportedFormat], folder: Path) -> None:
    """Write ``student.md`` and ``student.json``."""
    (folder / FACTS).write_text(json.dumps(_facts(student, exported), indent=1) + "\n")
    (folder / PAGE).write_text(_page(student, exported))


def _facts(student: Student, exported: Mapping[str, ExportedFormat]) -> dict[str, Any]:
    facts = {key: _plain(value) for key, value in student.metadata().items()}
    formats = {
        name: {
            "files": written.sizes,
            "largest_difference": written.difference,
            "accuracy": None if written.accuracy is None else written.accuracy._asdict(),
        }
        for name, written in exported.items()
    }
    return {**facts, "pipeline": student.pipeline, "formats": formats}


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _page(student: Student, exported: Mapping[str, ExportedFormat]) -> str:
    channels, height, width = student.shape
    names = ", ".join(student.classes) if student.classes else "not known"
    parts = [
        f"# {student.metadata()['network']}\n",
        f"- Inputs: float32 (batch, {channels}, {height}, {width}), channel order: "
        f"{student.channel_order or 'not known'}",
        f"- Normalization: (image - mean) / std on the scale 0 to 255, mean "
        f"{student.mean or 'none'}, std {student.std or 'none'}",
        f"- Classes, in the order of the logits: {names}\n",
        _table(exported),
        "## From an image to inputs\n",
        _block(preprocessing_code(student)),
    ]
    for name in exported:
        file = FORMATS[name].files[0]
        parts += [f"## {file}\n", _block(_snippet(student, name, file))]
    if student.classes:
        parts += ["## From logits to a class\n", _block(_class_code(student))]
    return "\n".join(parts)


def _table(exported: Mapping[str, ExportedFormat]) -> str:
    columns = ["file", "bytes", "largest difference of a logit", "accuracy in PyTorch"]
    columns += ["accuracy of the file", "agreement"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, written in exported.items():
        file = FORMATS[name].files[0]
        figures = " | ".join(accuracy_columns(written))
        lines.append(f"| `{file}` | {written.sizes[file]} | {written.difference:.1e} | {figures} |")
    return "\n".join(lines) + "\n"


def accuracy_columns(written: ExportedFormat) -> tuple[str, str, str]:
    """Accuracy before and after, and agreement, as people read them."""
    if written.accuracy is None:
        return ("", "", "")
    measured = written.accuracy
    return (f"{measured.before:.2f} %", f"{measured.after:.2f} %", f"{measured.agreement:.2f} %")


def _snippet(student: Student, name: str, file: str) -> str:
    return FORMATS[name].snippet(student, file).replace("logits", student.output)


def _class_code(student: Student) -> str:
    return f"classes = {student.classes}\nprint(classes[logits[0].argmax()])"


def _block(code: str) -> str:
    return f"```python\n{code}\n```\n"
