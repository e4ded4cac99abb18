"""``cls-kd store``: the stored outputs of teachers, listed and removed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cls_kd.errors import UserError, did_you_mean
from cls_kd.teacher_store import DEFAULT_DIR, StoreEntry, entries, remove, size_text

EXAMPLES = (
    "cls-kd store ls",
    "cls-kd store rm 3f9a --dir work_dirs/teacher_outputs",
    "cls-kd store rm --all",
)
_SHORT = 8
"""Digits of a key that the table shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listed = actions.add_parser("ls", help="list the stores, last used first")
    removed = actions.add_parser("rm", help="remove stores; runs that use them go on")
    removed.add_argument("keys", nargs="*", metavar="KEY", help="the beginning of a key is enough")
    removed.add_argument("--all", action="store_true", help="remove every store of the folder")
    for action in (listed, removed):
        action.add_argument(
            "--dir",
            default=DEFAULT_DIR,
            metavar="DIR",
            help="folder of the stores; default: %(default)s",
        )


def run(args: argparse.Namespace) -> None:
    """List, or remove."""
    stores = entries(Path(args.dir))
    if args.action == "ls":
        _show(stores, args.dir)
        return
    if bool(args.keys) == args.all:
        raise UserError("Name the stores to remove by their keys, or give --all.")
    chosen = stores if args.all else [_chosen(key, stores, args.dir) for key in args.keys]
    for entry in chosen:
        remove(entry)
        print(f"Removed {entry.folder} ({size_text(entry.size)}).")


def _chosen(key: str, stores: Sequence[StoreEntry], directory: str) -> StoreEntry:
    matches = [entry for entry in stores if key and entry.folder.name.startswith(key)]
    if len(matches) == 1:
        return matches[0]
    names = [entry.folder.name[:_SHORT] for entry in matches or stores]
    if matches:
        raise UserError(f"Several stores begin with {key!r}: {', '.join(names)}.")
    raise UserError(f"{directory} has no store {key!r}.{did_you_mean(key, names)}")


def _show(stores: Sequence[StoreEntry], directory: str) -> None:
    console = Console()
    if not stores:
        console.print(f"{directory} holds no stored teacher outputs.", highlight=False)
        return
    table = Table()
    for title in ("key", "teacher", "stored", "rows", "size", "last used"):
        justify: Any = "right" if title in ("rows", "size") else "left"
        table.add_column(title, justify=justify, no_wrap=title in ("key", "size"))
    for entry in stores:
        table.add_row(*_row(entry))
    console.print(table)
    total = sum(entry.size for entry in stores)
    console.print(f"{len(stores)} in {directory}, {size_text(total)}", highlight=False)


def _row(entry: StoreEntry) -> tuple[str, ...]:
    used = f"{entry.used:%Y-%m-%d %H:%M}"
    filled = entry.rows / entry.capacity if entry.capacity else 0.0
    rows = f"{entry.rows:,} ({filled:.0%})"
    teacher, stored = ("damaged", "") if not entry.parts else _texts(entry.parts)
    return entry.folder.name[:_SHORT], teacher, stored, rows, size_text(entry.size), used


def _texts(parts: Mapping[str, Any]) -> tuple[str, str]:
    """The teacher, and what is stored of it, in a few words; the key may be anybody's."""
    teacher, stored, rows = (
        value if isinstance(value := parts.get(name), dict) else {}
        for name in ("teacher", "stored", "rows")
    )
    weights = str(teacher.get("weights"))[:8]
    network = str(teacher.get("network")).partition("(")[0][:40]
    kept = "" if stored.get("logits") == "all" else f", {stored.get('logits')} logits"
    seed = f" of seed {rows.get('seed')}" if rows.get("by") == "epoch" else ""
    return f"{network} {weights}", f"{stored.get('dtype')}{kept}, by {rows.get('by')}{seed}"
