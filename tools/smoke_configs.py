#!/usr/bin/env python
"""Try configs: two steps of each training on made-up images, on the CPU, with untrained teachers.

python tools/smoke_configs.py
python tools/smoke_configs.py "benchmarks/dkd/*" configs/digits/pair.py
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.cli.failures import run_tool
from cls_kd.engine.smoke import Outcome, find_configs, try_configs

ROOT = Path(__file__).resolve().parents[1] / "configs"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "globs", nargs="*", metavar="GLOB", help="of names below configs, or paths. Default: all"
    )
    parser.add_argument("--list", action="store_true", help="name them, try nothing")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the work")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    files = find_configs(ROOT, args.globs)
    if args.list:
        print("\n".join(str(file.relative_to(ROOT).with_suffix("")) for file in files))
        return
    outcomes: list[Outcome] = []
    started = time.time()
    for outcome in try_configs(files, ROOT, args.jobs):
        outcomes.append(outcome)
        mark = f"FAILED: {outcome.did}" if outcome.failed else "ok"
        print(f"{len(outcomes)}/{len(files)} {outcome.name} ({outcome.seconds:.1f} s) {mark}")
    show(outcomes)
    print(f"Wall time {time.time() - started:.0f} s.")
    sys.exit(any(one.failed for one in outcomes))


def show(outcomes: list[Outcome]) -> None:
    table = Table()
    table.add_column("config", overflow="fold")
    table.add_column("result", overflow="fold")
    table.add_column("seconds", justify="right")
    # What failed comes last, where it is seen.
    for one in sorted(outcomes, key=lambda one: one.failed):
        result = f"[red]failed[/red]: {one.did}" if one.failed else one.did
        table.add_row(one.name, result, f"{one.seconds:.1f}")
    console = Console()
    console.print(table)
    failed = sum(one.failed for one in outcomes)
    total = sum(one.seconds for one in outcomes)
    console.print(f"{len(outcomes)} configs, {failed} failed, {total:.0f} s.")


if __name__ == "__main__":
    run_tool(main)
