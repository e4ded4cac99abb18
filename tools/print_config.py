#!/usr/bin/env python
"""Print a config as it is after inheritance, composition and options, as Python that trains.

python tools/print_config.py configs/digits/pair.py --method nkd > pair_nkd.py
python tools/print_config.py configs/digits/pair.py --run teacher > teacher.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import Config

from cls_kd.engine import load_config
from cls_kd.engine.cli import add_config_options, run_tool
from cls_kd.errors import UserError
from cls_kd.runs import choose, default_work_dir, plan


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="path of a config")
    parser.add_argument("--method", help="replace the losses by those of configs/methods/METHOD.py")
    parser.add_argument("--run", metavar="NAME", help="one of the config's runs, alone")
    parser.add_argument("--work-dir", help="where the runs are that it builds on")
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, method=args.method, options=args.cfg_options)
    print((cfg if args.run is None else of_run(cfg, args)).pretty_text)


def of_run(cfg: Config, args: argparse.Namespace) -> Config:
    work_dir = Path(
        args.work_dir or cfg.get("work_dir") or default_work_dir(args.config, args.method, cfg)
    )
    run = choose(plan(cfg, work_dir), args.run)
    try:
        resolved = run.resolved()
    except UserError as error:
        print(f"note: {error} It stands as 'run:NAME', and will not train so.", file=sys.stderr)
        return run.cfg
    resolved.pop("work_dir")
    return resolved


if __name__ == "__main__":
    run_tool(main)
