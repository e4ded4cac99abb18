"""SHA-256 of files that are written once and read much later, kept beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cls_kd.files import write_atomically

_CHUNK = 2**20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def digest_file(path: Path) -> Path:
    """The file that holds the SHA-256 of another."""
    return path.with_name(f"{path.name}.sha256")


def rename_with_digest(temporary: Path, path: Path) -> None:
    """Give a complete file its name, and write its SHA-256 beside it.

    Whenever the process is killed, the digest fits what is there: it is written first, with that of
    a file that is replaced.
    """
    beside = digest_file(path)
    before = beside.read_text().split()[:1] if beside.is_file() else []
    write_atomically(beside, "\n".join([sha256_of(temporary), *before]))
    temporary.replace(path)


def remove_with_digest(path: Path) -> None:
    """Remove a file, and then its digest."""
    path.unlink(missing_ok=True)
    digest_file(path).unlink(missing_ok=True)


def is_damaged(path: Path) -> bool:
    """True if a file is not as it was written; False also where no digest is beside it."""
    beside = digest_file(path)
    return beside.is_file() and sha256_of(path) not in beside.read_text().split()
