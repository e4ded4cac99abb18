"""ShuffleNet V2 for 32x32 images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cls_kd.models.plain_backbone import InitCfg, PlainBackbone, conv1x1, depthwise, shuffle
from cls_kd.registry import MODELS

_STEM = 24
_BASIC_UNITS = (3, 7, 3)


class BasicUnit(nn.Module):
    """Half of the channels pass, the others are convolved; then both are shuffled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv1x1(half, half)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = depthwise(half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(half, half)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        passed, out = x.chunk(2, dim=1)
        out = self.relu(self.bn1(self.conv1(out)))
        out = self.bn2(self.conv2(out))
        out = self.bn3(self.conv3(out))
        # The half that passes was rectified before, so one ReLU may take both: a hook point.
        return self.relu(shuffle(torch.cat([passed, out], dim=1), 2))


class DownUnit(nn.Module):
    """Two convolved branches of half the width, each with stride 2; then both are shuffled."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = depthwise(in_channels, 2)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv2 = conv1x1(in_channels, half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(in_channels, half)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv4 = depthwise(half, 2)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = conv1x1(half, half)
        self.bn5 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        left = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        right = self.bn4(self.conv4(self.relu(self.bn3(self.conv3(x)))))
        right = self.bn5(self.conv5(right))
        return self.relu(shuffle(torch.cat([left, right], dim=1), 2))


@MODELS.register_module()
class CIFARShuffleNetV2(PlainBackbone):
    """ShuffleNet V2 (Ma et al. 2018, arXiv:1807.11164) as in RepDistiller [1]; by default of 1x.

    The stem is a 1x1 convolution at full size; nothing is pooled before the first stage. Named as
    in [1], where weights start as torch has them; so they do here. ``preacts`` have the channels of
    ``stages`` in the same order; those of [1] are not shuffled.

    [1] https://github.com/HobbitLong/RepDistiller

    Args:
        widths: Channels of each stage, and of the convolution after them.
    """

    def __init__(
        self, *, widths: Sequence[int] = (116, 232, 464, 1024), init_cfg: InitCfg = None
    ) -> None:
        super().__init__(init_cfg)
        self.conv1 = conv1x1(3, _STEM)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.stages = tuple(f"layer{number}" for number in range(1, len(widths)))
        in_channels = _STEM
        for name, channels, count in zip(self.stages, widths[:-1], _BASIC_UNITS, strict=True):
            units = (BasicUnit(channels) for _ in range(count))
            self.add_module(name, nn.Sequential(DownUnit(in_channels, channels), *units))
            in_channels = channels
        self.conv2 = conv1x1(in_channels, widths[-1])
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.relu2 = nn.ReLU(inplace=True)
        last = (
            f"{name}.{count}.relu:input"
            for name, count in zip(self.stages, _BASIC_UNITS, strict=True)
        )
        self.taps = {"stages": self.stages, "preacts": tuple(last)}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.relu(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (self.relu2(self.bn2(self.conv2(x))),)
