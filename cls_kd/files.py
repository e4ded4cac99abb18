"""Atomic writes: a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def replace_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the same folder, then rename it to ``path``.

    Args:
        path: The file to replace or create. Its folder must exist.
        write: Is called with the path of the temporary file. If it raises, ``path`` stays as it
            was, and the temporary file is removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Replace the text of a file; UTF-8."""
    replace_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
