"""Patch tokens and class tokens of vision transformers."""

from __future__ import annotations

import math

from torch import Tensor


def grid_side(length: int) -> int:
    """Side of the square grid of patches among ``length`` tokens.

    >>> grid_side(197), grid_side(196), grid_side(1 + 4 + 256)  # class token; none; 4 registers
    (14, 14, 16)
    """
    return math.isqrt(length)


def patch_tokens(tokens: Tensor) -> Tensor:
    """The tokens of the patches, (N, L, D) -> (N, side * side, D): class tokens stand before them.

    >>> import torch
    >>> patch_tokens(torch.zeros(2, 17, 3)).shape
    torch.Size([2, 16, 3])
    """
    return tokens[:, tokens.shape[1] - grid_side(tokens.shape[1]) ** 2 :]
