"""``cls-kd predict``: classes of images, by a trained or an exported student."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torchvision.datasets.folder import IMG_EXTENSIONS

from cls_kd.cli.experiment import open_config
from cls_kd.cli.options import add_config_options, add_method, add_run, positive
from cls_kd.engine.predict import Prediction, Unreadable, load_student
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import choose, expand

EXAMPLES = (
    "cls-kd predict work_dirs/pair/kd images/",
    "cls-kd predict exported photo.jpg other.png --top 3 --format json",
    "cls-kd predict student.pth images/ --config digits/pair --out predictions.csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "source", help="a run's folder, a checkpoint, or a folder that cls-kd export wrote"
    )
    parser.add_argument("images", nargs="+", help="files, and folders with images below them")
    parser.add_argument(
        "--top", type=positive, default=5, metavar="K", help="classes of each image; default: 5"
    )
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        help="default: by the ending of --out (.csv, .json), else table",
    )
    parser.add_argument("--out", metavar="FILE", help="write there instead of printing")
    parser.add_argument(
        "--batch-size", type=positive, default=64, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--input-shape",
        nargs=3,
        type=positive,
        metavar=("C", "H", "W"),
        help="of one image; default: measured on the config's data",
    )
    parser.add_argument(
        "--config", help="of a checkpoint that has no config.py beside it: a path or a name"
    )
    add_run(parser, "with --config: which of its runs; default: the last")
    add_method(parser)
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Predict; 1 if an image cannot be read."""
    if args.out is not None and not Path(args.out).parent.is_dir():
        raise UserError(f"--out {args.out}: there is no folder {Path(args.out).parent}.")
    files, messages = _files(args.images)
    student = load_student(args.source, _config(args), shape=args.input_shape)
    print(student.note, file=sys.stderr)
    predictions: list[Prediction] = []
    outcomes = student.outcomes(files, args.top, args.batch_size)
    console, few = Console(stderr=True), len(files) <= args.batch_size
    for outcome in track(outcomes, "Images", len(files), console=console, disable=few):
        if isinstance(outcome, Unreadable):
            messages.append(outcome.message)
        else:
            predictions.append(outcome)
    if predictions:
        _write(predictions, args)
    for message in messages:
        print(f"error: {message}", file=sys.stderr)
    return int(bool(messages))


def _config(args: argparse.Namespace) -> Config | None:
    """The config of one run, where ``--config`` names one.

    Raises:
        UserError: An option that changes a config is given without one.
    """
    if args.config is None:
        for option in ("run", "method", "cfg_options"):
            if getattr(args, option):
                raise UserError(f"--{option.replace('_', '-')} is for --config CONFIG.")
        return None
    return choose(expand(open_config(args), Path()), args.run).cfg


def _files(images: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Every image file that is named or below a folder, and a message for each word without one."""
    files: list[Path] = []
    messages: list[str] = []
    for path in map(Path, images):
        if path.is_dir():
            below = (file for file in path.rglob("*") if file.suffix.lower() in IMG_EXTENSIONS)
            readable = sorted(file for file in below if file.is_file())
            if not readable:
                endings = ", ".join(IMG_EXTENSIONS)
                messages.append(f"The folder {path} holds no image; images end with {endings}.")
            files += readable
        elif path.is_file():
            files.append(path)
        else:
            messages.append(f"The image {path} does not exist.")
    return files, messages


def _write(predictions: Sequence[Prediction], args: argparse.Namespace) -> None:
    by_ending = Path(args.out or "").suffix.removeprefix(".")
    name = args.format or (by_ending if by_ending in FORMATS else "table")
    text = FORMATS[name](predictions)
    if args.out is None:
        print(text, end="")
        return
    write_atomically(Path(args.out), text)
    print(f"Written: {args.out}, {len(predictions):,} predictions.", file=sys.stderr)


def _table(predictions: Sequence[Prediction]) -> str:
    table = Table()
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right")
    for prediction in predictions:
        rows = _rows(prediction)
        lines = ("\n".join(str(row[column]) for row in rows) for column in (2, 3))
        table.add_row(prediction.image, *lines, end_section=len(rows) > 1)
    console = Console(file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def _csv(predictions: Sequence[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "rank", "class", "probability"])
    writer.writerows(row for prediction in predictions for row in _rows(prediction))
    return text.getvalue()


def _json(predictions: Sequence[Prediction]) -> str:
    return json.dumps([vars(prediction) for prediction in predictions], indent=1) + "\n"


def _rows(prediction: Prediction) -> list[tuple[str, int, str, str]]:
    """Image, rank from 1, class and probability."""
    pairs = zip(prediction.classes, prediction.probabilities, strict=True)
    return [(prediction.image, rank, name, f"{p:.4f}") for rank, (name, p) in enumerate(pairs, 1)]


FORMATS: dict[str, Callable[[Sequence[Prediction]], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
}
