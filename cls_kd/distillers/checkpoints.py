"""Reading checkpoints without running code from them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from safetensors.torch import load_file

from cls_kd.digests import digest_file, is_damaged
from cls_kd.distillers.remote import fetch
from cls_kd.errors import UserError


def _history_method(owner: Any, name: str) -> Any:
    """Replacement of ``getattr``, for MMEngine's pickled log history only."""
    if owner is not HistoryBuffer or name not in ("min", "max", "current", "mean"):
        raise pickle.UnpicklingError(f"it names getattr({owner!r}, {name!r})")
    return getattr(HistoryBuffer, name)


# What a checkpoint of MMEngine holds beside tensors: its log history, in NumPy arrays.
_ALLOWED: list[Any] = [
    HistoryBuffer,
    (_history_method, "builtins.getattr"),
    (_history_method, "__builtin__.getattr"),
    np.ndarray,
    np.dtype,
    # NumPy's own constructors, whose module was renamed between its versions 1 and 2.
    *(
        (made.__reduce__()[0], f"{module}.multiarray.{name}")
        for made, name in ((np.zeros(1), "_reconstruct"), (np.float64(0), "scalar"))
        for module in ("numpy.core", "numpy._core")
    ),
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
]
"""Types besides tensors and plain containers that a checkpoint may name. None of them runs code."""

_INNER = ("state_dict", "model", "model_state_dict")
"""Keys under which checkpoints keep the weights, in order of preference."""

_NO_PICKLE = re.compile(r"Unsupported operand|invalid load key|pickle data was truncated")
"""Messages of unpickling for bytes that are no pickle: a web page, a text."""


_MAX_RATIO = 100
"""Largest ratio of the sizes of a checkpoint in memory and on the disk; ours. PyTorch's is 1."""


@contextmanager
def allowed_types() -> Iterator[None]:
    """``torch.load(weights_only=True)`` accepts the log history of MMEngine inside."""
    with torch.serialization.safe_globals(_ALLOWED):
        yield


def read_checkpoint(source: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` file, or a URL, and run nothing that is in it.

    Raises:
        UserError: The file is missing, damaged, cannot be downloaded, or holds objects other than
            weights.
    """
    name = str(source)
    if urlparse(name).scheme in ("http", "https"):
        path = fetch(name)
        name = f"{name} (downloaded to {path}; remove that file to download it again)"
    else:
        path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"The checkpoint {name} does not exist{_neighbors(path)}")
    if is_damaged(path):
        raise UserError(
            f"The checkpoint {name} is damaged: its SHA-256 is another than when it was written. "
            f"If it was changed on purpose, remove {digest_file(path).name} beside it."
        )
    if path.suffix == ".safetensors":
        return _guarded(name, lambda: load_file(path))
    _check_unpacked_size(path, name)
    return _guarded(name, lambda: _load(path, map_location))


def weights_in(checkpoint: Mapping[str, Any], source: str) -> dict[str, torch.Tensor]:
    """The state dict inside a checkpoint, without the prefix that data parallelism leaves.

    Raises:
        UserError: There is none.
    """
    inner: Any = checkpoint
    for key in _INNER:
        if isinstance(checkpoint.get(key), Mapping):
            inner = checkpoint[key]
            break
    weights = {key: value for key, value in inner.items() if isinstance(value, torch.Tensor)}
    if not weights:
        raise UserError(f"The checkpoint {source} holds no weights: its keys are {_some(inner)}.")
    if all(key.startswith("module.") for key in weights):
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
    return weights


def _check_unpacked_size(path: Path, name: str) -> None:
    """Refuse a ``.pth`` file, which is a zip archive, that is small on the disk alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # of the old format, or damaged: what reads it says so
    if size > _MAX_RATIO * path.stat().st_size:
        raise UserError(
            f"The checkpoint {name} was refused: it has {path.stat().st_size:,} bytes and would "
            f"take {size:,} in memory, which no file that PyTorch has written does."
        )


def _load(path: Path, map_location: Any) -> Any:
    with allowed_types(), warnings.catch_warnings():
        # What cannot be read is an error, with a message of its own.
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        return torch.load(path, map_location=map_location, weights_only=True)


def _guarded(name: str, read: Any) -> dict[str, Any]:
    try:
        checkpoint = read()
    except pickle.UnpicklingError as error:
        if _NO_PICKLE.search(str(error)):
            raise _damaged(name, error) from None
        raise UserError(
            f"The checkpoint {name} was refused: it holds something other than weights, and "
            f"loading that could run code. Nothing of it was run. ({_forbidden(error)})"
        ) from None
    except Exception as error:
        # The bytes are not trusted: any error while they are read is the file's.
        raise _damaged(name, error) from None
    if not isinstance(checkpoint, dict):
        raise UserError(f"The checkpoint {name} holds a {type(checkpoint).__name__}, not weights.")
    return checkpoint


def _damaged(name: str, error: BaseException) -> UserError:
    return UserError(
        f"The checkpoint {name} cannot be read: it is damaged, cut short or not a checkpoint. "
        f"({_first_line(error)})"
    )


def _neighbors(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}."
    names = sorted(
        file.name
        for file in path.parent.iterdir()
        if file.suffix in (".pth", ".pt", ".safetensors")
    )
    return f". In {path.parent} there is: {', '.join(names[:8]) or 'no checkpoint'}."


def _some(keys: Any) -> str:
    names = [str(key) for key in keys]
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "") if names else "none"


def _forbidden(error: BaseException) -> str:
    match = re.search(r"GLOBAL (\S+)|(getattr\(.*\))", str(error))
    return f"It names {match[1] or match[2]}." if match else _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
