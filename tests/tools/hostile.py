"""Checkpoints that would run a command, were they unpickled. All they would do is make a file."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


class _Runs:
    """Unpickling this calls ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def _command(marker: Path) -> str:
    return f"echo ran > '{marker}'"


def _system(marker: Path) -> _Runs:
    return _Runs(os.system, _command(marker))


def _checkpoint(marker: Path) -> dict[str, Any]:
    return {"state_dict": {"weight": torch.zeros(2)}, "meta": {"note": _system(marker)}}


def zipped(marker: Path) -> bytes:
    """torch.save, as of today."""
    file = io.BytesIO()
    torch.save(_checkpoint(marker), file)
    return file.getvalue()


def legacy(marker: Path) -> bytes:
    """torch.save, as of before version 1.6."""
    file = io.BytesIO()
    torch.save(_checkpoint(marker), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def bare(marker: Path) -> bytes:
    """A plain pickle."""
    return pickle.dumps(_checkpoint(marker))


def evaluated(marker: Path) -> bytes:
    """``eval`` of a text, in a plain pickle of the oldest protocol."""
    return pickle.dumps(_Runs(eval, f"__import__('os').system({_command(marker)!r})"), protocol=0)


def attributes(marker: Path) -> bytes:
    """A chain of ``getattr`` to ``os.system``; MMEngine's own log history has one ``getattr``."""
    system = _Runs(getattr, _Runs(__import__, "os"), "system")

    class _Chained:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return _apply, (system, _command(marker))

    file = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "message_hub": _Chained()}, file)
    return file.getvalue()


def _apply(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def arrays(marker: Path) -> bytes:
    """An .npz with an array of objects."""
    file = io.BytesIO()
    np.savez(file, weight=np.array([_system(marker)], dtype=object))
    return file.getvalue()


def disguised(marker: Path) -> bytes:
    """A zip archive with ``data.pkl`` only, made by hand."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_checkpoint(marker), protocol=2))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


HOSTILE: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "zip": ("weights.pth", zipped),
    "legacy": ("weights.pth", legacy),
    "pickle": ("weights.pth", bare),
    "eval": ("weights.pth", evaluated),
    "getattr": ("weights.pth", attributes),
    "npz": ("weights.pth", arrays),
    "pkl": ("weights.pkl", bare),
    "hand-made zip": ("weights.pt", disguised),
    "pickle named safetensors": ("weights.safetensors", bare),
    "zip named safetensors": ("weights.safetensors", zipped),
}
"""Name to the file's name and what makes its bytes, given the file that running them makes."""
