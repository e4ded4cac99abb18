"""Atomic writes: a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cls_kd.errors import UserError


def replace_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the same folder, then rename it to ``path``.

    Args:
        path: The file to replace or create. Its folder must exist.
        write: Is called with the path of the temporary file. If it raises, ``path`` stays as it
            was, and the temporary file is removed.

    Raises:
        UserError: No space is left on the disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Replace the text of a file; UTF-8."""
    replace_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Turn an error about a full disk into one message.

    Args:
        folder: What is written to inside; where a write fails, the error names no file.

    Raises:
        UserError: No space is left on the disk.
    """
    try:
        yield
    except OSError as error:
        unwritten = unwritable(Path(error.filename or folder), error)
        if unwritten is error:
            raise
        raise unwritten from error


def unwritable(path: Path, error: BaseException) -> BaseException:
    """The error for a file that could not be written; others stay as they are.

    A full disk is the usual reason. PyTorch raises a `RuntimeError` then, without its number.
    """
    folder = path if path.is_dir() else path.parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    name = f"A file in {path}" if path.is_dir() else str(path)
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or (
        isinstance(error, RuntimeError) and "file write failed" in str(error)
    )
    if not is_full:
        return error
    return UserError(
        f"{name} could not be written: no space is left on its disk ({free / 2**20:.1f} MiB are "
        "free). Files that were complete before are still there; make room and give the same "
        "command with --resume."
    )
