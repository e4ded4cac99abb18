"""Base class and layers of this package's backbones."""

from __future__ import annotations

from typing import Any, TypeAlias

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

InitCfg: TypeAlias = dict[str, Any] | list[dict[str, Any]] | None

KAIMING: InitCfg = {"type": "Kaiming", "layer": "Conv2d"}
"""Convolutions normal with deviation sqrt(2 / (k * k * out)); batch norm as torch starts it."""


class PlainBackbone(BaseBackbone):
    """A backbone that returns its last map, in a tuple of one, and declares its taps.

    Attributes:
        taps: Signal name to module paths in this backbone (see ``cls_kd.signals.taps``).
    """

    taps: dict[str, str | tuple[str, ...]]

    def train(self, mode: bool = True) -> PlainBackbone:
        """Return the module, as torch does; mmpretrain's method returns None."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Images (N, 3, H, W) to the last map before pooling, (N, C, h, w)."""
        raise NotImplementedError


def conv3x3(in_channels: int, channels: int, stride: int = 1) -> nn.Conv2d:
    """Without bias: batch norm follows."""
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)


def conv1x1(in_channels: int, channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Without bias: batch norm follows."""
    return nn.Conv2d(in_channels, channels, 1, stride, groups=groups, bias=False)


def depthwise(channels: int, stride: int = 1) -> nn.Conv2d:
    """3x3, one filter a channel, without bias."""
    return nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Mix the channels of groups: (g, C / g) is read as (C / g, g)."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
