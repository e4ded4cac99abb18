"""Connectors: they bring a student's representation into the teacher's space. Never deployed."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ConvConnector(nn.Sequential):
    """1x1 convolution, batch normalisation, ReLU: (N, C_in, h, w) -> (N, C_out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class UnitEmbedding(nn.Module):
    """A linear layer onto the unit sphere: (N, D) -> (N, dim), each row of length 1."""

    def __init__(self, in_features: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, dim)

    def forward(self, embedding: Tensor) -> Tensor:
        return F.normalize(self.linear(embedding), dim=1)
