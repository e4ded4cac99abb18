"""Rows of fixed length in a memory-mapped file, with a tag for each."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from cls_kd.errors import UserError
from cls_kd.teacher_store.fingerprints import row_fingerprint

TAG_BYTES = 4
ROWS, TAGS = ".rows", ".tags"
"""Endings of the two files."""

_ZEROS = 2**22


class RowFile:
    """Rows of a signal, read and written by several processes of one machine at the same time.

    A tag is the sum of the fingerprints of the row, with its number, and of the image that the
    row belongs to; 0 says that there is no row. A row is written before its tag, so that a process
    that is killed leaves none that is half written; and one that is damaged in any other way (a
    power failure between the two files, a disk) does not fit its tag, which makes it a missing one.

    Args:
        path: Of both files, without their endings.
        rows: Number of rows.
        row_bytes: Length of a row, a multiple of four.

    Raises:
        UserError: The files are no regular files of these lengths.
    """

    def __init__(self, path: Path, rows: int, row_bytes: int) -> None:
        self.path = path
        row_map = _mapped(_named(path, ROWS), rows * row_bytes)
        tag_map = _mapped(_named(path, TAGS), rows * TAG_BYTES)
        if hasattr(mmap, "MADV_RANDOM"):  # reading ahead would only cost time
            row_map.madvise(mmap.MADV_RANDOM)
        self._maps = (row_map, tag_map)
        self._rows = np.frombuffer(row_map, np.uint8).reshape(rows, row_bytes)
        self._tags = np.frombuffer(tag_map, np.uint32)

    @staticmethod
    def size(rows: int, row_bytes: int) -> int:
        """Size of both files in bytes."""
        return rows * (row_bytes + TAG_BYTES)

    @staticmethod
    def create(path: Path, rows: int, row_bytes: int) -> None:
        """Make the files, unless they are there; the caller holds a lock.

        Their whole length is reserved, so that a full disk is found here, and not when a row is
        written to memory.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        lengths = {_named(path, TAGS): rows * TAG_BYTES, _named(path, ROWS): rows * row_bytes}
        for file, length in lengths.items():
            if not file.exists():
                _reserve(file, length)

    def read(
        self, slots: np.ndarray, fingerprints: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, and which of them are valid for images of these fingerprints.

        Args:
            slots: Numbers of the rows, (N,) int64.
            fingerprints: Of the images, (N,) uint32.

        Returns:
            Rows (N, row_bytes) uint8; which are valid, (N,) bool; which have a tag, (N,) bool.
        """
        rows, expected = self.read_unchecked(slots)
        present = self._tags[slots] != 0
        return rows, present & (expected == fingerprints), present

    def read_unchecked(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows, and the fingerprints of the images that they belong to, if they are undamaged.

        Args:
            slots: See ``read``.

        Returns:
            Rows (N, row_bytes) uint8, and fingerprints (N,) uint32.
        """
        tags = self._tags[slots]
        rows = self._rows[slots]
        return rows, tags - row_fingerprint(rows, slots)

    def present(self, slots: np.ndarray) -> np.ndarray:
        """Which rows have a tag, (N,) bool."""
        return self._tags[slots] != 0

    def write(self, slots: np.ndarray, rows: np.ndarray, fingerprints: np.ndarray) -> None:
        """Write rows, then their tags.

        Args:
            slots: See ``read``.
            rows: (N, row_bytes) uint8.
            fingerprints: Of their images, (N,) uint32.
        """
        # While a row is replaced it is no row.
        self._tags[slots] = 0
        self._rows[slots] = rows
        self._tags[slots] = row_fingerprint(rows, slots) + fingerprints

    def count(self) -> int:
        """Number of rows that are there."""
        return int(np.count_nonzero(self._tags))

    def flush(self) -> None:
        """Write to the disk what is in memory: rows, then tags."""
        for mapped in self._maps:
            mapped.flush()


def count_tags(file: Path) -> int:
    """Number of rows that the tags of a file say are there."""
    rows = file.stat().st_size // TAG_BYTES
    return int(np.count_nonzero(np.memmap(file, np.uint32, "r", shape=(rows,)))) if rows else 0


def _named(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _mapped(file: Path, expected: int) -> mmap.mmap:
    if file.is_symlink() or not file.is_file() or file.stat().st_size != expected:
        size = file.stat().st_size if file.is_file() else "no regular file"
        raise UserError(
            f"The stored teacher outputs in {file} are damaged: the file should have {expected} "
            f"bytes ({size}). `cls-kd store rm {file.parent.name} --dir {file.parent.parent}` "
            "removes them."
        )
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), expected)


def _reserve(file: Path, length: int) -> None:
    """A file of zeros, under its name once all of it has space on the disk."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        with temporary.open("wb") as opened:
            reserve = getattr(os, "posix_fallocate", None)
            if reserve is not None and length:
                reserve(opened.fileno(), 0, length)
            else:
                _write_zeros(opened.fileno(), length)
            os.fsync(opened.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _write_zeros(descriptor: int, length: int) -> None:
    for begin in range(0, length, _ZEROS):
        os.write(descriptor, bytes(min(_ZEROS, length - begin)))
