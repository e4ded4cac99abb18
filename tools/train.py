#!/usr/bin/env python
"""Train: a config's run, or its list of runs.

python tools/train.py configs/digits/demo.py
python tools/train.py configs/digits/pair.py --method nkd --seed 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from rich.console import Console

from cls_kd.analyses import analyze
from cls_kd.engine import default_work_dir, load_config, plan, train_runs
from cls_kd.engine.cli import add_config_options, parse_launched, run_tool
from cls_kd.engine.compat import init_distributed
from cls_kd.reporting import make_report
from cls_kd.runs import RESULT, Run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="path of a config")
    parser.add_argument("--method", help="replace the losses by those of configs/methods/METHOD.py")
    parser.add_argument("--work-dir", help="where logs, checkpoints and results go")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="PATH",
        help="go on from the last checkpoint in the work dir, or from PATH",
    )
    parser.add_argument("--restart", action="store_true", help="train finished runs anew")
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    parser.add_argument("--seed", type=int, help="replace the config's seed or seeds")
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms")
    add_config_options(parser)
    return parse_launched(parser)


def main() -> None:
    args = parse_args()
    cfg = load_config(
        args.config,
        method=args.method,
        options=args.cfg_options,
        amp=args.amp,
        seed=args.seed,
        deterministic=args.deterministic,
    )
    work_dir = Path(
        args.work_dir or cfg.get("work_dir") or default_work_dir(args.config, args.method, cfg)
    )
    runs = plan(cfg, work_dir)
    init_distributed(args.launcher)
    single = "runs" not in cfg
    train_runs(
        runs,
        resume=args.resume,
        restart=args.restart or (single and not args.resume),
        launcher=args.launcher,
    )
    if is_main_process() and ("report" in cfg or _several_seeds(runs)):
        report(cfg, runs, work_dir)


def report(cfg: Config, runs: list[Run], work_dir: Path) -> None:
    files = [run.work_dir / RESULT for run in runs]
    made = make_report(work_dir, **cfg.get("report", {}), files=files)
    sections = [analyze(one, runs) for one in cfg.get("analyses", [])]
    paths = made.write(work_dir, sections)
    console = Console()
    made.show(console)
    for section in sections:
        console.print(section.terminal())
    print("Written:", *paths, sep="\n  ")


def _several_seeds(runs: list[Run]) -> bool:
    names = [run.name for run in runs]
    return len(set(names)) < len(names)


if __name__ == "__main__":
    run_tool(main)
