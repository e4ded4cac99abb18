"""``cls-kd benchmarks``: method, pair, published top-1, and the config that trains it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.runs.benchmarks import FOLDER, Cell, choose_cells, read_cells

EXAMPLES = (
    "cls-kd benchmarks",
    "cls-kd benchmarks --method dkd --pair cifar100",
    "cls-kd benchmarks --pair resnet32x4_resnet8x4",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--method", help="only this method")
    parser.add_argument(
        "--pair", help="only this pair, or pairs with this network, or of this data"
    )


def run(args: argparse.Namespace) -> None:
    """List."""
    _show(choose_cells(read_cells(), method=args.method, pair=args.pair))


def _show(cells: list[Cell]) -> None:
    table = Table(caption="‡ from the table of another work. Epoch and notes: metafile.yml.")
    for title in ("method", "pair"):
        table.add_column(title, overflow="fold")
    for title in ("student", "top-1", "gain"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("source", "config"):
        table.add_column(title, overflow="fold")
    for cell in cells:
        top1 = _figure(cell.top1) + ("‡" if cell.second_hand and cell.top1 is not None else "")
        gain = "-" if cell.gain is None else f"{cell.gain:+.2f}"
        config = Path("configs", "benchmarks", cell.config.relative_to(FOLDER))
        student = _figure(cell.student)
        table.add_row(cell.method, cell.pair, student, top1, gain, cell.source, str(config))
    Console().print(table)
    print(f"{len(cells)} benchmarks.")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
