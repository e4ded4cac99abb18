"""Counter-based random numbers: the same counter gives the same number on every device."""

from __future__ import annotations

from torch import Tensor


def _signed(word: int) -> int:
    """An unsigned 64-bit word as the int64 of the same bits."""
    return word - (1 << 64) if word >> 63 else word


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_ROUNDS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))


def hash_integers(counters: Tensor) -> Tensor:
    """SplitMix64 of each int64, element by element, on the tensor's own device.

    It is a bijection of 64-bit words (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014): counters that differ give numbers that differ.

    >>> import torch
    >>> [hex(word % 2**64) for word in hash_integers(torch.tensor([0, 1])).tolist()]
    ['0xe220a8397b1dcdaf', '0x910a2dec89025cc1']
    """
    word = counters + _GOLDEN  # int64 products and sums wrap, as 64-bit words do
    for shift, factor in _ROUNDS:
        word = (word ^ _shift_right(word, shift)) * factor
    return word ^ _shift_right(word, 31)


def _shift_right(word: Tensor, count: int) -> Tensor:
    return (word >> count) & ((1 << (64 - count)) - 1)  # >> alone would copy the sign down
