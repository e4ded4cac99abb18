"""Gaussian regression of a teacher's features: a learned mean and a learned variance."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GaussianRegressor(nn.Module):
    """Gaussian of a teacher's map, given a student's: (N, C_in, h, w) -> (N, C_out, h, w).

    The mean is three 1x1 convolutions without bias, with ReLUs between them. Each channel has a
    variance, ``softplus(log_scale) + eps``, the same at all positions.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        init_variance: What all variances start from.
        eps: Lower bound of the variances.
    """

    def __init__(
        self, in_channels: int, out_channels: int, init_variance: float, eps: float
    ) -> None:
        super().__init__()
        widths = (in_channels, out_channels, out_channels, out_channels)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, kernel_size=1, bias=False), nn.ReLU(inplace=True)]
        self.regressor = nn.Sequential(*layers[:-1])
        start = math.log(math.expm1(init_variance - eps))
        self.log_scale = nn.Parameter(torch.full((out_channels,), start))
        self.eps = eps

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Negative log-likelihood of the teacher's map without its constant; mean, a scalar."""
        variance = (F.softplus(self.log_scale) + self.eps)[:, None, None]
        error = (self.regressor(student) - teacher).square()
        return 0.5 * (error / variance + variance.log()).mean()
