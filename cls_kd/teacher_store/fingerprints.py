"""32-bit fingerprints of images and rows: a row that does not belong to its image is no hit.

A fingerprint is the upper half of a sum of words, each times a fixed odd 64-bit number
(multiply-shift hashing: M. Dietzfelbinger, T. Hagerup, J. Katajainen, M. Penttonen, "A reliable
randomized algorithm for the closest-pair problem", 1997). It is no protection against somebody who
wants two images to have the same one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cls_kd.functional import hash_integers

_LOW = 2**32 - 1
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def fingerprint(images: Tensor) -> Tensor:
    """A number of 32 bits for each image, on the images' device: int64 (N,).

    Args:
        images: (N, ...), of any type; every bit counts.
    """
    words = images.contiguous().flatten(1).view(_WORDS[images.element_size()]).to(torch.int64)
    factors = _factors(words.shape[1], words.device)
    # The product of a matrix and a vector needs no copy; there is none of integers on a GPU.
    sums = words @ factors if words.device.type == "cpu" else (words * factors).sum(1)
    return (sums >> 32) & _LOW


def row_fingerprint(rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """A number of 32 bits for each row and where it lies: uint32 (N,).

    Args:
        rows: (N, row_bytes) uint8, of a multiple of four bytes.
        slots: Numbers of the rows in their file, (N,) int64.
    """
    words = np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64)
    factors = _factors(words.shape[1] + 1, torch.device("cpu")).numpy().view(np.uint64)
    sums = words @ factors[1:] + slots.astype(np.uint64) * factors[0]
    return (sums >> np.uint64(32)).astype(np.uint32)


@lru_cache(maxsize=8)
def _factors(count: int, device: torch.device) -> Tensor:
    """Fixed odd numbers, (count,) int64."""
    return (hash_integers(torch.arange(1, count + 1)) | 1).to(device)
