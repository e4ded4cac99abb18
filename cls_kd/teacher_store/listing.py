"""The stores of a folder: which there are, how large, and how to remove one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cls_kd.errors import UserError
from cls_kd.teacher_store.folder import KEY_FILE, LOCK, STORED_SIGNALS, read_parts
from cls_kd.teacher_store.rows import TAG_BYTES, TAGS, count_tags

_NAME = re.compile(r"[0-9a-f]{32}")
_SIGNALS = "|".join(STORED_SIGNALS)
_FILES = re.compile(
    rf"\.?(?:all|epoch_\d+)\.(?:{_SIGNALS})\.(?:rows|tags)(?:\.tmp)?"
    rf"|metrics_[0-9a-f]{{32}}\.json|{re.escape(KEY_FILE)}|{re.escape(LOCK)}"
    rf"|\.(?:{re.escape(KEY_FILE)}|metrics_[0-9a-f]{{32}}\.json)\.\d+\.tmp"
)


@dataclass(frozen=True)
class StoreEntry:
    """A store as `cls-kd store ls` shows it.

    Attributes:
        folder: Its folder; the name is the key.
        parts: Parts of the key; empty where they cannot be read.
        size: Bytes on the disk.
        rows: Number of rows that are there, of its first signal.
        capacity: Number of rows that there is space for.
        used: Time of the last use.
    """

    folder: Path
    parts: dict[str, Any]
    size: int
    rows: int
    capacity: int
    used: datetime


def entries(directory: Path) -> list[StoreEntry]:
    """The stores of a folder, last used first."""
    folders = directory.iterdir() if directory.is_dir() else ()
    made = [_entry(path) for path in folders if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(made, key=lambda entry: entry.used, reverse=True)


def remove(entry: StoreEntry) -> None:
    """Remove a store: its files, and its folder where nothing else is in it.

    A process that uses the store keeps what it has open, and ends as if nothing had happened.
    """
    for file in _files(entry.folder):
        file.unlink(missing_ok=True)
    try:
        entry.folder.rmdir()
    except OSError:
        raise UserError(
            f"{entry.folder} is not removed: there are files in it that are none of a store's."
        ) from None


def _entry(folder: Path) -> StoreEntry:
    states = _states(folder)
    tags = [file for file in states if file.name.endswith(TAGS)]
    signals = sorted({file.name.split(".")[1] for file in tags}, reverse=True)
    tags = [file for file in tags if signals and file.name.split(".")[1] == signals[0]]
    try:
        parts = read_parts(folder)
    except UserError:
        parts = {}
    return StoreEntry(
        folder,
        parts,
        size=sum(state.st_blocks * 512 for state in states.values()),
        rows=sum(map(_count, tags)),
        capacity=sum(states[file].st_size // TAG_BYTES for file in tags),
        used=datetime.fromtimestamp(max((s.st_mtime for s in states.values()), default=0)),
    )


def _states(folder: Path) -> dict[Path, os.stat_result]:
    """The files of a store, which other processes may be making or removing."""
    states = {}
    with suppress(FileNotFoundError):
        for file in _files(folder):
            with suppress(FileNotFoundError):
                states[file] = file.stat()
    return states


def _count(file: Path) -> int:
    with suppress(FileNotFoundError):
        return count_tags(file)
    return 0


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if _FILES.fullmatch(file.name) and file.is_file())
