"""Archives of data sets: downloaded, compared with their MD5, read without unpacking."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from io import BufferedIOBase
from pathlib import Path

import torch

from cls_kd.downloads import wait_for
from cls_kd.errors import UserError

_MAX_BYTES = 2**31
"""Largest unpacked size of an archive that is read; ours. CIFAR's have 0.2e9 bytes."""


class _BoundedFile:
    """A file for reading that ends with an error after so many bytes.

    The sizes that an archive states are not trusted, and a few kilobytes of it may be unpacked to
    any length, also in parts that no member of interest is in.
    """

    def __init__(self, file: BufferedIOBase, name: Path) -> None:
        self._file, self._name, self._left = file, name, _MAX_BYTES

    def read(self, size: int) -> bytes:
        """At most so many bytes."""
        block = self._file.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise _too_large(self._name)
        return block


def _too_large(archive: Path) -> UserError:
    return UserError(
        f"{archive} was refused: unpacked it has more than {_MAX_BYTES / 2**30:g} GiB, which no "
        "archive of this data set has. If it is to be trusted, unpack it."
    )


def archive_members(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Files in a ``.tar.gz``, by their names, without unpacking it to the disk.

    Raises:
        UserError: The archive is damaged, unpacked too large, or lacks one of them.
    """
    contents = {}
    try:
        # As a stream: going back in a compressed file would start anew.
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=_BoundedFile(unpacked, archive), mode="r|") as opened,  # type: ignore[call-overload]
        ):
            for member in opened:
                if member.name.removeprefix("./") in names and member.isfile():
                    if member.size > _MAX_BYTES:
                        raise _too_large(archive)
                    file = opened.extractfile(member)
                    assert file is not None
                    contents[f"{archive}: {member.name}"] = file.read()
    except UserError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise UserError(
            f"{archive} cannot be read: it is damaged, cut short or no archive ({error}). "
            "Remove it and get it again."
        ) from None
    lacking = {name for name in names if not any(key.endswith(name) for key in contents)}
    if lacking:
        raise UserError(f"{archive} lacks {sorted(lacking)[0]}: it is another archive.")
    return dict(sorted(contents.items()))


def check_md5(raw: bytes, expected: str, name: str) -> None:
    """Refuse a file that is not the published one.

    Raises:
        UserError: Its MD5 is another.
    """
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if digest != expected:
        raise UserError(
            f"{name} is not the published file: its MD5 is {digest}, not {expected}. Get it again; "
            "other data in the same format are read with checksum=False."
        )


def wait_for_archive(is_there: Callable[[], bool], archive: Path) -> None:
    """Wait until another process of this machine has downloaded it.

    Raises:
        UserError: It took too long.
    """
    try:
        wait_for(is_there, str(archive))
    except TimeoutError as error:
        raise UserError(f"{error}: what that process says tells why.") from None


def download_archive(url: str, archive: Path, md5: str) -> None:
    """Download an archive and compare its MD5.

    Raises:
        UserError: It cannot be had, or it is another file, which is removed.
    """
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        # Written under another name, and renamed when it is whole.
        torch.hub.download_url_to_file(url, str(archive), progress=False)
    except (OSError, ValueError, HTTPException) as error:
        raise UserError(
            f"{url} could not be downloaded: {type(error).__name__}: {error}. Download it by hand "
            f"and put it at {archive.absolute()}."
        ) from None
    try:
        check_md5(archive.read_bytes(), md5, str(archive))
    except UserError:
        archive.unlink()
        raise
