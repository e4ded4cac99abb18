"""Options of a teacher's store, as a config gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from cls_kd.errors import UserError, did_you_mean

DEFAULT_DIR = "work_dirs/teacher_outputs"
"""Folder of the stores where none is given; relative to the current folder."""

StoredType = Literal["float32", "float16"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", re.IGNORECASE)


@dataclass(frozen=True)
class StoreOptions:
    """Where and how a teacher's outputs are stored: ``teacher=dict(..., store=dict(...))``.

    Args:
        dir: Folder of the stores; each has a folder of its own in it, named by its key. Runs and
            processes share it.
        dtype: Type of the stored values. ``'float32'`` replays bit for bit; ``'float16'`` takes
            half of the space.
        top_k: Of the logits keep the k largest of each sample, and the total of the others, which
            are equal after that. Default: all of them.
        max_size: Largest size of the store, in bytes or as text, ``'20GB'`` (decimal units). A
            store that would become larger is refused before training.
        verify: Fraction of the batches, from 0 to 1, that the teacher computes although they are
            stored, to compare them.

    Raises:
        UserError: An option that makes no sense.
    """

    dir: str = DEFAULT_DIR
    dtype: StoredType = "float32"
    top_k: int | None = None
    max_size: int | str = "20GB"
    verify: float = 0.0

    def __post_init__(self) -> None:
        if self.dtype not in get_args(StoredType):
            hint = did_you_mean(str(self.dtype), get_args(StoredType))
            raise UserError(f"store: there is no dtype {self.dtype!r}.{hint}")
        if self.top_k is not None and (not _is_whole(self.top_k) or self.top_k < 1):
            raise UserError(
                f"store: top_k must be a whole number of 1 or more, not {self.top_k!r}."
            )
        if isinstance(self.verify, bool) or not isinstance(self.verify, int | float):
            raise UserError(f"store: verify must be a fraction, not {self.verify!r}.")
        if not 0 <= self.verify <= 1:
            raise UserError(f"store: verify={self.verify} must be in [0, 1].")
        if not isinstance(self.dir, str) or not self.dir:
            raise UserError(f"store: dir must be the path of a folder, not {self.dir!r}.")
        _ = self.max_bytes

    @property
    def max_bytes(self) -> int:
        """``max_size`` in bytes."""
        if _is_whole(self.max_size) and int(self.max_size) > 0:
            return int(self.max_size)
        match = _SIZE.fullmatch(self.max_size.strip()) if isinstance(self.max_size, str) else None
        unit = match[2].upper() if match else ""
        unit = unit if unit in _UNITS else unit + "B"
        if match is None or float(match[1]) <= 0:
            raise UserError(
                f"store: max_size must be a number of bytes or a text such as '20GB', not "
                f"{self.max_size!r}."
            )
        return int(float(match[1]) * _UNITS[unit])


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def size_text(size: int) -> str:
    """A number of bytes in decimal units: ``'3.27 GB'``."""
    for unit in ("TB", "GB", "MB", "kB"):
        scale = _UNITS[unit.upper()]
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"
