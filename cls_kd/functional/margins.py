"""Margins of pre-activations, from the batch normalization that they come from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_RARE = 0.001


def negative_margins(weight: Tensor, bias: Tensor) -> Tensor:
    """Expectation of the negative pre-activations of each channel, (C,).

    The output of batch normalization is taken to be normal with mean m = ``bias`` and deviation
    s = abs(``weight``); then it is ``m - s phi(m / s) / Phi(-m / s)``. Where negative values are
    rarer than 1 in 1000 it is ``-3 s``.

    >>> negative_margins(torch.tensor([1.0, -2.0, 1.0]), torch.tensor([0.0, 0.0, 4.0]))
    tensor([-0.7979, -1.5958, -3.0000])
    """
    deviation = weight.abs().clamp_min(torch.finfo(weight.dtype).tiny)
    standard = bias / deviation
    log_rarity = torch.special.log_ndtr(-standard)
    log_density = -0.5 * standard.square() - 0.5 * math.log(2 * math.pi)
    expectation = bias - deviation * (log_density - log_rarity).exp()
    return torch.where(log_rarity > math.log(_RARE), expectation, -3 * deviation)
