"""Attention-based fusion of a student's maps, from the deepest to the first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.modules.connectors import LinearConnector


class ReviewFusion(nn.Module):
    """Fuse a map with what came from the deeper ones, and predict a teacher's map.

    A 1x1 convolution and batch normalization take the map to ``mid_channels``. From the second on,
    the deeper result is resized to this map, and both are summed with weights from 0 to 1 for each
    position, a 1x1 convolution of both with a sigmoid. The sum is resized to the teacher's size
    (nearest neighbors); a 3x3 convolution and batch normalization take it to the teacher's width.

    Args:
        in_channels: Width of the student's map.
        mid_channels: Width in which maps are fused.
        teacher: Shape of the teacher's map, (C, h, w).
        fuses: Whether there is a deeper result; not for the deepest map.
    """

    def __init__(
        self, in_channels: int, mid_channels: int, teacher: Sequence[int], *, fuses: bool
    ) -> None:
        super().__init__()
        channels, self.size = teacher[0], tuple(teacher[1:])
        self.reduce = LinearConnector(in_channels, mid_channels)
        self.predict = nn.Sequential(
            nn.Conv2d(mid_channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.attention = nn.Conv2d(2 * mid_channels, 2, kernel_size=1) if fuses else None
        for weight in (*self.reduce[0].parameters(), *self.predict[0].parameters()):
            nn.init.kaiming_uniform_(weight, a=1)

    def forward(self, feature: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """The predicted map of the teacher, and what the next fusion takes as ``deeper``."""
        fused = self.reduce(feature)
        if self.attention is not None and deeper is not None:
            deeper = F.interpolate(deeper, fused.shape[-2:], mode="nearest")
            weights = self.attention(torch.cat([fused, deeper], dim=1)).sigmoid()
            fused = fused * weights[:, :1] + deeper * weights[:, 1:]
        if fused.shape[-2:] != self.size:
            fused = F.interpolate(fused, self.size, mode="nearest")
        return self.predict(fused), fused
