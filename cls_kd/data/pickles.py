"""Reads the pickles that CIFAR is distributed in, and runs nothing that is in them."""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, Literal

import numpy as np

from cls_kd.errors import UserError

_DTYPES: dict[str, np.dtype[Any]] = {
    "u1": np.dtype("u1"),
    "i4": np.dtype("i4"),
    "i8": np.dtype("i8"),
}
"""Types of pixels and labels in such files. Bytes of any other kind are refused."""


def read_pickle(raw: bytes, name: str) -> dict[str, Any]:
    """The dict in a pickle, of plain values and NumPy arrays, with text as keys.

    Whatever the pickle names is taken for one of a few stand-ins, which only note what they are
    given; arrays are then made from their bytes. Written by Python 2 or 3, NumPy 1 or 2.

    Raises:
        UserError: The file is damaged, holds something else, or names something that could run.
    """
    try:
        value = _Reader(io.BytesIO(raw), encoding="bytes").load()
        if not isinstance(value, dict):
            raise UserError(f"{name} holds a {type(value).__name__}, where CIFAR has a dict.")
        return {_text(key): _plain(item) for key, item in value.items()}
    except UserError:
        raise
    except _ForbiddenError as error:
        raise UserError(
            f"{name} was refused: it names {error}, which no CIFAR file does, and loading that "
            "could run code. Nothing of it was run."
        ) from None
    except Exception as error:
        # The bytes are not trusted: any error while they are read is the file's.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{name} cannot be read: it is damaged, cut short or no CIFAR file. ({reason})"
        ) from None


class _ForbiddenError(Exception):
    """Holds the name of what a pickle must not ask for."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        kind = _KNOWN.get((module, name))
        if kind is None:
            raise _ForbiddenError(f"{module}.{name}")
        return _Maker(kind)


_Kind = Literal["array", "ndarray", "dtype", "buffer", "scalar", "encode"]
_KNOWN: dict[tuple[str, str], _Kind] = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    # NumPy 2 renamed the modules.
    **{
        (f"numpy.{core}.{module}", name): kind  # type: ignore[misc]
        for core in ("core", "_core")
        for module, name, kind in (
            ("multiarray", "_reconstruct", "array"),
            ("multiarray", "scalar", "scalar"),
            ("numeric", "_frombuffer", "buffer"),
        )
    },
}


class _Maker:
    """Replacement of a function or class of NumPy. Without a dict, nothing can be set on it."""

    __slots__ = ("_kind",)

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind

    def __call__(self, *given: Any) -> Any:
        if self._kind == "array":
            return _Array()
        if self._kind == "dtype":
            return _DType(given[0])
        if self._kind == "buffer":
            raw, dtype, shape, order = given
            return _Array((1, shape, dtype, order in ("F", b"F"), raw))
        if self._kind == "scalar":
            dtype, raw = given
            return int(_Array((1, (), dtype, False, raw)).made())
        if self._kind == "encode" and isinstance(given[0], str) and _text(given[1]) == "latin1":
            # So Python 3 writes bytes in the protocols of Python 2.
            return given[0].encode("latin1")
        raise _ForbiddenError(f"a call of {self._kind}")


class _DType:
    __slots__ = ("code", "order")

    def __init__(self, code: Any) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def made(self) -> np.dtype[Any]:
        code = _text(self.code).lstrip("|<")
        if code not in _DTYPES or self.order not in ("|", "<", "="):
            raise _ForbiddenError(f"an array of {self.order}{code}")
        return _DTYPES[code]


class _Array:
    __slots__ = ("state",)

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def made(self) -> np.ndarray:
        """The array, from its bytes."""
        _, shape, dtype, columns, raw = self.state
        kind = dtype.made()
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        if len(data) != math.prod(shape) * kind.itemsize or min(shape, default=0) < 0:
            raise ValueError(f"an array of shape {tuple(shape)} has {len(data)} bytes")
        return np.frombuffer(data, kind).reshape(shape, order="F" if columns else "C")


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.made()
    if isinstance(value, _Maker | _DType):
        raise _ForbiddenError("a type where a value belongs")
    return value
