"""``cls-kd methods``: what each loss asks for, its defaults, its paper, configs that use it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cls_kd.engine.catalog import BEGIN, END, Entry, catalog, check, find, to_markdown, write

EXAMPLES = (
    "cls-kd methods",
    "cls-kd methods nkd",
    "cls-kd methods --write docs/method_table.md",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", help="one loss, or one method config, in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    form.add_argument("--write", metavar="PAGE", help=f"put it between {BEGIN} and {END}")
    form.add_argument("--check", metavar="PAGE", help="exit with 1 if the table there is stale")


def run(args: argparse.Namespace) -> None:
    """List, or write the table of a page."""
    entries = catalog()
    if args.name is not None:
        entries = find(args.name, entries)
    if args.markdown:
        print(to_markdown(entries))
    elif args.write is not None:
        write(Path(args.write), to_markdown(entries))
    elif args.check is not None:
        check(Path(args.check), to_markdown(entries))
    elif args.name is not None:
        _show_each(entries)
    else:
        _show(entries)


def _show(entries: list[Entry]) -> None:
    table = Table(show_lines=True)
    for title in ("loss", "asks for", "defaults", "paper", "configs"):
        # In a narrow terminal names are broken, never cut: each can be read in full.
        table.add_column(title, overflow="fold")
    for entry in entries:
        cells = (entry.asked, entry.defaults.split(", "), (entry.paper,), entry.used)
        table.add_row(entry.name, *("\n".join(cell) for cell in cells))
    Console().print(table)


def _show_each(entries: list[Entry]) -> None:
    for entry in entries:
        table = Table(title=entry.name, show_header=False, title_justify="left")
        table.add_row("does", entry.summary)
        table.add_row("asks for", "\n".join(entry.asked))
        table.add_row("options", entry.defaults.replace(", ", "\n"))
        searched = (f"{name}: {values}" for name, values in entry.space.items())
        table.add_row("tuned", "\n".join(searched))
        table.add_row("paper", entry.paper)
        table.add_row("configs", " ".join(entry.methods))
        Console().print(table)
