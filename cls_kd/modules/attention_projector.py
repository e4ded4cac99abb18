"""Cross-attention projectors from a student's map to a teacher's positions and width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_DEVIATION = 0.02


class AttentionProjector(nn.Module):
    """Queries, one at each position of the teacher's map, attend to a student's map (ScaleKD).

    (N, C_in, h_in, w_in) and queries (N, C_out, h, w) -> (N, C_out, h, w). A 3x3 convolution, batch
    normalization and ReLU with a learned map of positions give keys and values; the queries pass a
    linear layer and ReLU. Layer normalization and a two-layer perceptron with a shortcut follow.

    Args:
        student: Shape of the student's map, (C_in, h_in, w_in).
        teacher: Shape of the result, (C_out, h, w).
        num_heads: Number of attention heads; divides C_out.
        softmax_scale: Factor of the attention logits, beside the usual one.
    """

    def __init__(
        self,
        student: Sequence[int],
        teacher: Sequence[int],
        num_heads: int,
        softmax_scale: float,
    ) -> None:
        super().__init__()
        width, channels = student[0], teacher[0]
        self.num_heads = num_heads
        self.scale = softmax_scale / (channels // num_heads) ** 0.5
        self.convolution = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.positions = nn.Parameter(torch.empty(1, *student))
        nn.init.trunc_normal_(self.positions, std=_DEVIATION)
        self.embed = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(inplace=True))
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(width, channels, bias=False)  # softmax takes a bias out
        self.value = nn.Linear(width, channels)
        self.project = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, feature: Tensor, queries: Tensor) -> Tensor:
        tokens = (self.convolution(feature) + self.positions).flatten(2).transpose(1, 2)
        embedded = self.query(self.embed(queries.flatten(2).transpose(1, 2)))
        attended = F.scaled_dot_product_attention(
            self._heads(embedded.expand(len(tokens), -1, -1)),
            self._heads(self.key(tokens)),
            self._heads(self.value(tokens)),
            scale=self.scale,
        )
        normed = self.norm(self.project(attended.transpose(1, 2).flatten(2)))
        projected = normed + self.perceptron(normed)
        return projected.transpose(1, 2).unflatten(2, queries.shape[2:])

    def _heads(self, tokens: Tensor) -> Tensor:
        """(N, L, C) -> (N, heads, L, C / heads)."""
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class LearnedQueryProjector(nn.Module):
    """An `AttentionProjector` with learned queries: (N, C_in, h_in, w_in) -> (N, C_out, h, w).

    Args:
        student: See `AttentionProjector`.
        teacher: See `AttentionProjector`.
        num_heads: See `AttentionProjector`.
        softmax_scale: See `AttentionProjector`.
    """

    def __init__(
        self,
        student: Sequence[int],
        teacher: Sequence[int],
        num_heads: int,
        softmax_scale: float,
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, *teacher))
        self.projector = AttentionProjector(student, teacher, num_heads, softmax_scale)

    def forward(self, feature: Tensor) -> Tensor:
        return self.projector(feature, self.queries)
