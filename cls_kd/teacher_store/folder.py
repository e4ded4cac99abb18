"""The folder of one store: its key, and its files of rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.teacher_store.options import size_text
from cls_kd.teacher_store.rows import RowFile

KEY_FILE = "key.json"
LOCK = ".lock"
STORED_SIGNALS = ("teacher_logits", "teacher_embedding")
"""Signals of a teacher that a store holds."""

_SMALLER = (
    "Smaller are dtype='float16' and top_k=16 (of the logits), or fewer epochs where rows are "
    "stored by epoch."
)
_ELSEWHERE = "store=dict(dir=...) or --store-teacher DIR chooses another folder."
_LARGEST_KEY_FILE = 2**20
_DIGITS = 32


def key_of(parts: Mapping[str, Any]) -> str:
    """Name of the store for these parts of a key: 32 digits of their SHA-256.

    Args:
        parts: Everything that a stored value depends on, as JSON takes it.
    """
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def read_parts(folder: Path) -> dict[str, Any]:
    """The parts of the key that is in a store's folder.

    Raises:
        UserError: The file is not there, or is not that of a store of this name.
    """
    file = folder / KEY_FILE
    try:
        if file.is_symlink() or file.stat().st_size > _LARGEST_KEY_FILE:
            raise ValueError("it is no regular file of a usual size")
        parts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(parts, dict) or key_of(parts) != folder.name:
            raise ValueError("its content has another key")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The stored teacher outputs in {folder} are damaged: {KEY_FILE} cannot be used "
            f"({error}). `cls-kd store rm {folder.name} --dir {folder.parent}` removes them."
        ) from None
    return parts


class StoreFolder:
    """A store that is open: rows of signals in blocks.

    Args:
        folder: Its folder, with the key in it.
        rows: Number of rows of a block.
        row_bytes: Signal to the length of its rows.
    """

    def __init__(self, folder: Path, rows: int, row_bytes: Mapping[str, int]) -> None:
        self.folder, self.rows, self.row_bytes = folder, rows, dict(row_bytes)
        self._lock = FileLock(folder / LOCK)

    def block(self, name: str) -> dict[str, RowFile]:
        """The files of a block, by signal; they are made if they are not there.

        Raises:
            OSError: The disk is full.
            UserError: Files of this name have another length.
        """
        paths = {signal: self.folder / f"{name}.{signal}" for signal in self.row_bytes}
        with self._lock:
            for signal, path in paths.items():
                RowFile.create(path, self.rows, self.row_bytes[signal])
        return {
            signal: RowFile(path, self.rows, self.row_bytes[signal])
            for signal, path in paths.items()
        }


def open_folder(
    directory: Path, parts: Mapping[str, Any], rows: int, row_bytes: Mapping[str, int]
) -> StoreFolder:
    """The store of a key; a new one, if there is none.

    Args:
        directory: Folder of all stores.
        parts: The key.
        rows: Number of rows of a block.
        row_bytes: Signal to the length of its rows.

    Raises:
        UserError: The folder cannot be written, or what is there is damaged.
    """
    folder = directory / key_of(parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK):
            if not (folder / KEY_FILE).exists():
                write_atomically(folder / KEY_FILE, json.dumps(parts, sort_keys=True, indent=1))
            os.utime(folder / KEY_FILE)  # the time of the last use
    except OSError as error:
        raise UserError(
            f"store: teacher outputs cannot be stored in {directory}: {error.strerror or error}. "
            f"{_ELSEWHERE}"
        ) from None
    if read_parts(folder) != json.loads(json.dumps(parts)):
        raise UserError(f"The stored teacher outputs in {folder} have another key: remove them.")
    return StoreFolder(folder, rows, row_bytes)


def check_size(size: int, max_bytes: int) -> None:
    """Refuse a store that is too large for its bound.

    Args:
        size: Bytes that the store may come to.
        max_bytes: Largest size that is wanted.

    Raises:
        UserError: With what makes it smaller.
    """
    if size > max_bytes:
        raise UserError(
            f"store: the teacher's outputs of this run take up to {size_text(size)}, and max_size "
            f"is {size_text(max_bytes)}: raise max_size. {_SMALLER}"
        )


def check_space(directory: Path, parts: Mapping[str, Any], size: int) -> None:
    """Refuse a store for which the disk has no space; what is stored already needs none.

    Args:
        directory: Folder of all stores.
        parts: The key.
        size: Bytes that the store may come to.

    Raises:
        UserError: With what makes it smaller, or the folder is none that can be written.
    """
    folder = directory.absolute() / key_of(parts)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"store: {existing} is no folder that can be written. {_ELSEWHERE}")
    files = folder.glob("*.*.*") if existing == folder else ()
    needed = size - sum(file.stat().st_size for file in files)
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"store: the teacher's outputs of this run take up to {size_text(needed)} more, and "
            f"the disk of {directory} has {size_text(free)} left. {_SMALLER}"
        )
