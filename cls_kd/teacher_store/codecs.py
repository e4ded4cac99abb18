"""From the values of a signal to rows of bytes, and back."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cls_kd.errors import UserError

WORD = 4
"""Bytes; rows have a whole number of these."""


class Codec(Protocol):
    """Values (N, width) as N rows of bytes.

    Attributes:
        name: Stands in the key of a store.
    """

    name: str

    def row_bytes(self, width: int) -> int:
        """Length of a row in bytes, a multiple of four."""

    def encode(self, values: Tensor) -> np.ndarray:
        """Values (N, width) as rows (N, row_bytes) uint8."""

    def decode(self, rows: np.ndarray, width: int) -> Tensor:
        """The values (N, width) float32, on the CPU, of rows (N, row_bytes) uint8."""


class AllValues:
    """Every value, in one type.

    Args:
        dtype: ``'float32'`` or ``'float16'``.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.name = dtype

    def row_bytes(self, width: int) -> int:
        """See `Codec`."""
        return _padded(width * self.dtype.itemsize)

    def encode(self, values: Tensor) -> np.ndarray:
        """See `Codec`.

        Raises:
            UserError: A finite value is too large for the type.
        """
        rows = np.zeros((len(values), self.row_bytes(values.shape[1])), np.uint8)
        exact = values.detach().float().cpu().numpy()
        rows[:, : exact.shape[1] * self.dtype.itemsize] = _bytes(cast(exact, self.dtype))
        return rows

    def decode(self, rows: np.ndarray, width: int) -> Tensor:
        """See `Codec`."""
        values = np.ascontiguousarray(rows[:, : width * self.dtype.itemsize]).view(self.dtype)
        return torch.from_numpy(values.astype(np.float32, copy=False))


class LargestLogits:
    """Of each row of logits the k largest, and the log of the sum of the others' exponentials.

    The others are equal to each other after decoding, and such that the softmax of the row gives
    the k largest the probabilities that they had (at temperature 1). Ours; TinyViT (Wu et al.,
    ECCV 2022) spreads the rest of the probability evenly in the same way.

    Args:
        k: Number of logits that are kept.
        dtype: Type of the values.
    """

    def __init__(self, k: int, dtype: str) -> None:
        self.k = k
        self.dtype = np.dtype(dtype)
        self.name = f"{dtype}, largest {k}"

    def row_bytes(self, width: int) -> int:
        """See `Codec`."""
        k = min(self.k, width)
        return _padded(WORD + k * (_index_type(width).itemsize + self.dtype.itemsize))

    def encode(self, values: Tensor) -> np.ndarray:
        """See `Codec`.

        Raises:
            UserError: A finite value is too large for the type.
        """
        width = values.shape[1]
        exact = values.detach().float().cpu()
        k = min(self.k, width)
        largest, indices = exact.topk(k, dim=1)
        rest = exact.scatter(1, indices, -math.inf).logsumexp(1, keepdim=True)
        parts = (
            rest.numpy(),
            cast(largest.numpy(), self.dtype),
            indices.numpy().astype(_index_type(width)),
        )
        rows = np.zeros((len(values), self.row_bytes(width)), np.uint8)
        begin = 0
        for part in map(_bytes, parts):
            rows[:, begin : begin + part.shape[1]] = part
            begin += part.shape[1]
        return rows

    def decode(self, rows: np.ndarray, width: int) -> Tensor:
        """See `Codec`."""
        k, index_type = min(self.k, width), _index_type(width)
        sizes = (WORD, k * self.dtype.itemsize, k * index_type.itemsize)
        ends = np.cumsum(sizes)
        rest, largest, indices = (
            np.ascontiguousarray(rows[:, end - size : end]).view(kind)
            for size, end, kind in zip(
                sizes, ends, (np.float32, self.dtype, index_type), strict=True
            )
        )
        others = torch.from_numpy(rest) - math.log(max(width - k, 1))
        # A damaged row never comes here, but an index must not leave its row in any case.
        chosen = torch.from_numpy(indices.astype(np.int64)).clamp(0, width - 1)
        values = torch.from_numpy(largest.astype(np.float32, copy=False))
        return others.expand(-1, width).scatter(1, chosen, values)


def build_codec(signal: str, dtype: str, top_k: int | None) -> Codec:
    """The codec of a signal: ``top_k`` is of logits alone."""
    if top_k is not None and signal == "teacher_logits":
        return LargestLogits(top_k, dtype)
    return AllValues(dtype)


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in another type.

    Raises:
        UserError: A finite value becomes infinite.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype, copy=False)
    if narrow is not values and (np.isinf(narrow) & np.isfinite(values)).any():
        raise UserError(
            f"The teacher gives values up to {np.abs(values[np.isfinite(values)]).max():.3g}, "
            f"which {dtype} does not hold: take store=dict(dtype='float32', ...)."
        )
    return narrow


def _index_type(width: int) -> np.dtype:
    return np.dtype(np.int16 if width <= np.iinfo(np.int16).max else np.int32)


def _padded(size: int) -> int:
    return -(-size // WORD) * WORD


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
