#!/usr/bin/env python
"""Check a config's data: read every image; list what is unreadable, duplicated or contradictory.

python tools/check_data.py configs/digits/pair.py --json data.json
"""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console

from cls_kd.engine import load_config
from cls_kd.engine.check_data import check_data, show, writable
from cls_kd.engine.cli import add_config_options, run_tool
from cls_kd.files import write_atomically


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="path of a config")
    parser.add_argument("--json", metavar="FILE", help="write all that was found to this file")
    add_config_options(parser)
    args = parser.parse_args()
    out = writable(args.json)
    cfg = load_config(args.config, options=args.cfg_options)
    found = check_data(cfg, Console(stderr=True))
    if out is not None:
        write_atomically(out, json.dumps(found, indent=1))
    show(found, Console())
    if found["problems"]:
        sys.exit(1)


if __name__ == "__main__":
    run_tool(main)
