"""``cls-kd check-data``: reads every image of a config and lists what is wrong with them."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from cls_kd.cli.experiment import open_config
from cls_kd.cli.options import add_config
from cls_kd.engine.check_data import check_data, show, writable
from cls_kd.files import write_atomically

EXAMPLES = (
    "cls-kd check-data digits/pair",
    "cls-kd check-data configs/digits/pair.py --json data.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument("--json", metavar="FILE", help="write all that was found to this file")


def run(args: argparse.Namespace) -> int:
    """Check; 1 if there is a problem."""
    out = writable(args.json)
    findings = check_data(open_config(args), Console(stderr=True))
    if out is not None:
        write_atomically(out, json.dumps(findings, indent=1))
    show(findings, Console())
    return int(bool(findings["problems"]))
