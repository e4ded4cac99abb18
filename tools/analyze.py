#!/usr/bin/env python
"""Analyse finished runs beyond accuracy; writes a table, a figure and a page.

python tools/analyze.py decomposition configs/digits/papers/nkd.py --runs kd nkd
python tools/analyze.py generations configs/digits/papers/generations.py --options split=val
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.console import Console

from cls_kd.analyses import analyze
from cls_kd.engine import load_config, plan
from cls_kd.engine.cli import KeyValues, add_config_options, run_tool
from cls_kd.files import write_atomically
from cls_kd.runs import default_work_dir


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("analysis", help="its name; a wrong one lists all")
    parser.add_argument("config", help="the config that was trained")
    parser.add_argument("--method", help="the method that it was composed with")
    parser.add_argument("--work-dir", help="where the runs are; default as in training")
    parser.add_argument("--runs", nargs="+", metavar="NAME", help="only these of the config's runs")
    parser.add_argument("--checkpoint", help="weights in place of the last checkpoint, of one run")
    parser.add_argument("--output", help="folder to write to; default the work dir")
    parser.add_argument(
        "--options",
        nargs="+",
        action=KeyValues,
        default={},
        metavar="KEY=VALUE",
        help="options of the analysis, over those that the config gives it",
    )
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, method=args.method, options=args.cfg_options)
    work_dir = Path(
        args.work_dir or cfg.get("work_dir") or default_work_dir(args.config, args.method, cfg)
    )
    config = {**_of_config(cfg, args.analysis), **args.options}
    if args.runs:
        config["runs"] = args.runs
    section = analyze(config, plan(cfg, work_dir), args.checkpoint)
    Console().print(section.terminal())
    for line in section.notes:
        print(f"- {line}")
    output = Path(args.output or work_dir)
    written = section.write(output)
    page = output / f"{section.name}.md"
    write_atomically(page, section.markdown())
    print("Written:", page, *written, sep="\n  ")


def _of_config(cfg: Config, analysis: str) -> dict[str, Any]:
    """What the config says of this analysis."""
    found = [one for one in cfg.get("analyses", []) if one["type"] == analysis]
    return dict(found[0]) if found else {"type": analysis}


if __name__ == "__main__":
    run_tool(main)
