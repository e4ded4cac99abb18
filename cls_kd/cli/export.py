"""``cls-kd export``: a trained student in formats that need nothing of this project."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.cli.experiment import open_config
from cls_kd.cli.options import add_config, add_method, add_run, positive
from cls_kd.engine.export import (
    BACKBONE_FORMATS,
    DEFAULT_FORMATS,
    FORMATS,
    TOLERANCE,
    ExportedFormat,
    ExportImages,
    Student,
    backbone_of,
    check_backbone_formats,
    export,
    read_student,
)
from cls_kd.engine.export.report import PAGE
from cls_kd.runs import choose, expand

EXAMPLES = (
    "cls-kd export digits/pair work_dirs/pair/kd/epoch_20.pth exported",
    "cls-kd export digits/pair work_dirs/pair/kd/epoch_20.pth exported --formats onnx onnx-int8",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument("checkpoint", help="of ours, or a plain one of the student")
    parser.add_argument("out_dir", help="made where it is missing")
    add_run(parser, "which of the config's runs; default: the last")
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=list(FORMATS),
        help=f"default: {' '.join(DEFAULT_FORMATS)}; of a backbone {' '.join(BACKBONE_FORMATS)}",
    )
    parser.add_argument(
        "--backbone",
        action="store_true",
        help="without the classifier: embeddings in the place of logits",
    )
    parser.add_argument(
        "--input-shape",
        nargs=3,
        type=int,
        metavar=("C", "H", "W"),
        help="of one image; default: measured on the config's data",
    )
    parser.add_argument(
        "--branch",
        metavar="B",
        help="of a student of several branches: 0, 1, ... or 'ensemble'; default: as in its config",
    )
    parser.add_argument(
        "--split",
        choices=["test", "val"],
        help="measure onnx-fp16 and onnx-int8 on it; default: test where the config has it",
    )
    parser.add_argument(
        "--evaluation-images",
        type=positive,
        metavar="N",
        help="measure on at most N; default: all",
    )
    parser.add_argument(
        "--calibration-images",
        type=positive,
        metavar="N",
        default=ExportImages.calibration,
        help="training images that calibrate onnx-int8; default: %(default)s",
    )
    add_method(parser)


def run(args: argparse.Namespace) -> None:
    """Export, and print what was written."""
    chosen = choose(expand(open_config(args), Path()), args.run)
    branch = int(args.branch) if (args.branch or "").lstrip("-").isdigit() else args.branch
    student = read_student(chosen.cfg, args.checkpoint, args.input_shape, branch)
    formats = args.formats
    if args.backbone:
        formats = formats or BACKBONE_FORMATS
        check_backbone_formats(student, tuple(formats))
        student = backbone_of(student)
    images = ExportImages(chosen.cfg, args.split, args.evaluation_images, args.calibration_images)
    out_dir = Path(args.out_dir)
    _show(student, out_dir, export(student, out_dir, formats or DEFAULT_FORMATS, images))


def _show(student: Student, out_dir: Path, exported: dict[str, ExportedFormat]) -> None:
    console = Console(highlight=False)
    console.print(student.note)
    console.print(_table(out_dir, exported))
    if any(FORMATS[name].tolerance == TOLERANCE for name in exported):
        console.print(f"Tolerance of the ONNX check: {TOLERANCE}, absolute and relative.")
    for written in exported.values():
        if FORMATS[written.name].tolerance is None:
            console.print(f"{written.name}: {_measured(written)}")
    shape = ", ".join(map(str, student.shape))
    order = student.channel_order or "channel order not known"
    console.print(f"Inputs: (batch, {shape}), {order}, normalized on the scale 0-255:")
    console.print(f"  mean {student.mean or None}, std {student.std or None}")
    console.print(f"{out_dir / PAGE} says how each file is used.")
    if student.foreign:
        console.print(
            f"The network is made with {', '.join(student.foreign)}: student_config.py imports it, "
            "so its package must be installed beside mmpretrain. ONNX needs nothing."
        )


def _measured(written: ExportedFormat) -> str:
    if written.accuracy is None:
        return "accuracy not measured, because the images of the config are not here."
    figures = written.accuracy
    return (
        f"top-1 {figures.before:.2f} % in PyTorch, {figures.after:.2f} % exported, on "
        f"{figures.images} {figures.split} images; the same class for {figures.agreement:.2f} % of "
        "them."
    )


def _table(out_dir: Path, exported: dict[str, ExportedFormat]) -> Table:
    columns = Table("file", "size", "logits differ from the student's by", title=str(out_dir))
    for written in exported.values():
        file, size = next(iter(written.sizes.items()))
        difference = f"{written.difference:.1e}" if written.difference else "0"
        columns.add_row(file, f"{size / 1024:,.0f} KiB", difference)
    return columns
