#!/usr/bin/env python
"""Export a trained student for use without this project: mmpretrain, safetensors, ONNX.

python tools/export_student.py configs/digits/pair.py work_dirs/pair/student/epoch_20.pth out/
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.engine import load_config
from cls_kd.engine.cli import add_config_options, run_tool
from cls_kd.engine.export import FORMATS, TOLERANCE, Student, export, read_student
from cls_kd.engine.runs import choose, expand


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="path of a config")
    parser.add_argument("checkpoint", help="of ours, or a plain one of the student")
    parser.add_argument("out_dir", help="made where it is missing")
    parser.add_argument("--run", metavar="NAME", help="which of the config's runs (the last)")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=FORMATS, help="default: all"
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
    parser.add_argument("--method", help="as of tools/train.py, where the config was trained so")
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, method=args.method, options=args.cfg_options)
    run = choose(expand(cfg, Path()), args.run)
    branch = int(args.branch) if (args.branch or "").lstrip("-").isdigit() else args.branch
    student = read_student(run.cfg, args.checkpoint, args.input_shape, branch)
    show(student, Path(args.out_dir), export(student, Path(args.out_dir), args.formats))


def show(student: Student, out_dir: Path, differences: dict[str, float]) -> None:
    console = Console(highlight=False)
    console.print(student.note)
    table = Table("file", "size", "logits differ from the student's by", title=str(out_dir))
    for name, difference in differences.items():
        size = f"{(out_dir / name).stat().st_size / 1024:,.0f} KiB"
        table.add_row(name, size, f"{difference:.1e}" if difference else "0")
    console.print(table)
    if "student.onnx" in differences:
        console.print(f"Tolerance of the ONNX check: {TOLERANCE}, absolute and relative.")
    mean, std = (student.preprocessor.get(key) for key in ("mean", "std"))
    to_rgb = student.preprocessor.get("to_rgb", False)
    shape = ", ".join(map(str, student.shape))
    console.print(f"Inputs: (batch, {shape}), normalised on the scale 0-255:")
    console.print(f"  mean {mean}, std {std}, to_rgb {to_rgb}")
    if student.foreign:
        console.print(
            f"The network is made with {', '.join(student.foreign)}: student_config.py imports it, "
            "so its package must be installed beside mmpretrain. ONNX needs nothing."
        )


if __name__ == "__main__":
    run_tool(main)
