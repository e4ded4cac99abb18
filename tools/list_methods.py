#!/usr/bin/env python
"""List the losses: what each asks for, its defaults, its paper, the method configs that use it.

python tools/list_methods.py
python tools/list_methods.py nkd
python tools/list_methods.py --write docs/method_table.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.engine.catalogue import BEGIN, END, Entry, catalogue, check, find, to_markdown, write
from cls_kd.engine.cli import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", help="one loss, or one method config, in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--markdown", action="store_true", help="print the table of docs/method_table.md"
    )
    form.add_argument("--write", metavar="PAGE", help=f"put it between {BEGIN} and {END}")
    form.add_argument("--check", metavar="PAGE", help="exit with 1 if the table there is stale")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    entries = catalogue()
    if args.name is not None:
        entries = find(args.name, entries)
    if args.markdown:
        print(to_markdown(entries))
    elif args.write is not None:
        write(Path(args.write), to_markdown(entries))
    elif args.check is not None:
        check(Path(args.check), to_markdown(entries))
    elif args.name is not None:
        show_each(entries)
    else:
        show(entries)


def show(entries: list[Entry]) -> None:
    table = Table(show_lines=True)
    for title in ("loss", "asks for", "defaults", "paper", "configs"):
        # In a narrow terminal names are broken, never cut: each can be read in full.
        table.add_column(title, overflow="fold")
    for entry in entries:
        cells = (entry.asked, entry.defaults.split(", "), (entry.paper,), entry.used)
        table.add_row(entry.name, *("\n".join(cell) for cell in cells))
    Console().print(table)


def show_each(entries: list[Entry]) -> None:
    for entry in entries:
        table = Table(title=entry.name, show_header=False, title_justify="left")
        table.add_row("does", entry.summary)
        table.add_row("asks for", "\n".join(entry.asked))
        table.add_row("options", entry.defaults.replace(", ", "\n"))
        table.add_row("paper", entry.paper)
        table.add_row("configs", " ".join(entry.methods))
        Console().print(table)


if __name__ == "__main__":
    run_tool(main)
