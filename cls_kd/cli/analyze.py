"""``cls-kd analyze``: an analysis of finished runs, as a table, a figure and a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.console import Console

from cls_kd.analyses import analyze
from cls_kd.cli.experiment import open_experiment
from cls_kd.cli.options import KeyValues, add_config, add_method, add_work_dir
from cls_kd.files import write_atomically

EXAMPLES = (
    "cls-kd analyze comparisons configs/digits/papers/nkd.py",
    "cls-kd analyze decomposition configs/digits/papers/nkd.py --runs kd nkd",
    "cls-kd analyze generations digits/papers/generations --options split=val",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("analysis", help="its name; a wrong one lists all")
    add_config(parser)
    add_method(parser)
    add_work_dir(parser, "where the runs are")
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


def run(args: argparse.Namespace) -> None:
    """Analyze, print and write."""
    experiment = open_experiment(args)
    config = {**_of_config(experiment.cfg, args.analysis), **args.options}
    if args.runs:
        config["runs"] = args.runs
    section = analyze(config, experiment.runs(), args.checkpoint)
    Console().print(section.terminal())
    for line in section.notes:
        print(f"- {line}")
    output = Path(args.output or experiment.work_dir)
    written = section.write(output)
    page = output / f"{section.name}.md"
    write_atomically(page, section.markdown())
    print("Written:", page, *written, sep="\n  ")


def _of_config(cfg: Config, analysis: str) -> dict[str, Any]:
    """The config's options for this analysis."""
    listed = [entry for entry in cfg.get("analyses", []) if entry["type"] == analysis]
    return dict(listed[0]) if listed else {"type": analysis}
