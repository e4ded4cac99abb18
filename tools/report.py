#!/usr/bin/env python
"""Join the reports of several experiments into one page, one table and one figure.

python tools/report.py work_dirs/two work_dirs/digits/papers/nkd work_dirs/digits/papers/ipwd
"""

from __future__ import annotations

import argparse

from cls_kd.engine.cli import run_tool
from cls_kd.reporting import write_joined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="folder to write report.md, report.csv and report.png to")
    parser.add_argument("experiments", nargs="+", help="work dirs of trained configs, in order")
    parser.add_argument("--title", default="Experiments", help="heading of the page")
    args = parser.parse_args()
    paths = write_joined(args.output, args.experiments, args.title)
    print("Written:", *paths, sep="\n  ")


if __name__ == "__main__":
    run_tool(main)
