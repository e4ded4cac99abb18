"""A cross-attention projector from a student's map to a teacher's positions and width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_DEVIATION = 0.02


class AttentionProjector(nn.Module):
    """Learned queries, one at each position, attend to a student's map (ScaleKD).

    (N, C_in, h, w) -> (N, C_out, h, w). A 3x3 convolution, batch normalization and ReLU with a
    learned map of positions give keys and values; learned embeddings through a linear layer and
    ReLU give the queries. Layer normalization and a two-layer perceptron with a shortcut follow.

    Args:
        in_channels: Channels of the student's map.
        shape: Shape of the result, (C_out, h, w).
        num_heads: Number of attention heads; divides C_out.
        softmax_scale: Factor of the attention logits, beside the usual one.
    """

    def __init__(
        self, in_channels: int, shape: Sequence[int], num_heads: int, softmax_scale: float
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.size = (height, width)
        self.num_heads = num_heads
        self.scale = softmax_scale / (channels // num_heads) ** 0.5
        self.convolution = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.positions = nn.Parameter(torch.empty(1, in_channels, height, width))
        nn.init.trunc_normal_(self.positions, std=_DEVIATION)
        self.embeddings = nn.Parameter(torch.randn(height * width, channels))
        self.embed = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(inplace=True))
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(in_channels, channels, bias=False)  # softmax takes a bias out
        self.value = nn.Linear(in_channels, channels)
        self.project = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, feature: Tensor) -> Tensor:
        tokens = (self.convolution(feature) + self.positions).flatten(2).transpose(1, 2)
        queries = self.query(self.embed(self.embeddings)).expand(len(tokens), -1, -1)
        attended = F.scaled_dot_product_attention(
            self._heads(queries),
            self._heads(self.key(tokens)),
            self._heads(self.value(tokens)),
            scale=self.scale,
        )
        normed = self.norm(self.project(attended.transpose(1, 2).flatten(2)))
        projected = normed + self.perceptron(normed)
        return projected.transpose(1, 2).unflatten(2, self.size)

    def _heads(self, tokens: Tensor) -> Tensor:
        """(N, L, C) -> (N, heads, L, C / heads)."""
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
