"""Hostile data sets for `faults.py`: pickles and archives of CIFAR."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cls_kd.data import CIFAR100
from cls_kd.data.pickles import read_pickle

Case = tuple[str, str, Callable[[Path], object]]
_MEMBER = f"{CIFAR100.FOLDER}/train"


def cifar_pickles(payloads: Callable[[Path], dict[str, Any]]) -> Iterator[Case]:
    """Pickles that call something, or state sizes that they do not have."""
    for name in payloads(Path()):

        def opened(folder: Path, name: str = name) -> object:
            return read_pickle(pickle.dumps({"data": payloads(folder)[name]}), "train")

        yield "CIFAR pickle", name, opened

    def objects(folder: Path) -> object:
        array = np.array([payloads(folder)["eval"]], object)
        return read_pickle(pickle.dumps({"data": array}), "train")

    def huge(folder: Path) -> object:
        raw = pickle.dumps({"data": np.zeros((2, 3), np.uint8)}, 2)
        stated = b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"
        return read_pickle(raw.replace(b"K\x02K\x03\x86", stated), "train")

    yield "CIFAR pickle", "array of objects", objects
    yield "CIFAR pickle", "array of 2^62 bytes", huge


def archive_cases() -> Iterator[Case]:
    """Archives whose members have hostile names, are links, or are unpacked without end."""
    for name in ("../outside/a", "/tmp/cls_kd_outside", f"{CIFAR100.FOLDER}/../../outside/a"):
        yield "CIFAR archive", f"member {name}", _opened(_member(name, b"x"))
    link = tarfile.TarInfo(_MEMBER)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    yield "CIFAR archive", "member that is a link", _opened([(link, b"")])
    yield "CIFAR archive", "cut", _opened(_member(_MEMBER, bytes(9999)), end=-500)
    for name, kind in {
        "bomb": tarfile.REGTYPE,
        "bomb in a header": tarfile.XHDTYPE,
        "bomb in a long name": tarfile.GNUTYPE_LONGNAME,
    }.items():
        yield "CIFAR archive", name, _bomb(_MEMBER, kind)
    yield "CIFAR archive", "bomb beside the data", _bomb("other", tarfile.REGTYPE)


def _member(name: str, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return [(info, content)]


def _read(folder: Path) -> object:
    return CIFAR100(str(folder), "train", checksum=False)


def _opened(
    members: list[tuple[tarfile.TarInfo, bytes]], end: int | None = None
) -> Callable[[Path], object]:
    def opened(folder: Path) -> object:
        archive = folder / CIFAR100.ARCHIVE
        with tarfile.open(archive, "w:gz") as writer:
            for info, content in members:
                writer.addfile(info, io.BytesIO(content))
        archive.write_bytes(archive.read_bytes()[:end])
        return _read(folder)

    return opened


def _bomb(name: str, kind: bytes) -> Callable[[Path], object]:
    """8 GiB of zeros, which are 8 MB: one compressed piece, again and again."""

    def opened(folder: Path) -> object:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, 2**33
        piece = gzip.compress(bytes(2**24))
        with (folder / CIFAR100.ARCHIVE).open("wb") as file:
            file.write(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
            for _ in range(2**9):
                file.write(piece)
        return _read(folder)

    return opened
