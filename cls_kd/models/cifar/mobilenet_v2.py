"""MobileNetV2 for 32x32 images."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.models.plain_backbone import (
    KAIMING,
    InitCfg,
    PlainBackbone,
    conv1x1,
    conv3x3,
    depthwise,
)
from cls_kd.registry import MODELS

# Expansion, channels at full width, blocks, stride of the first block.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_TAPPED = (1, 2, 4, 6)


class InvertedResidual(nn.Module):
    """1x1 to the expanded width, 3x3 depthwise with the stride, linear 1x1."""

    def __init__(self, in_channels: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        self.adds = stride == 1 and in_channels == channels
        self.conv = nn.Sequential(
            conv1x1(in_channels, inner),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            depthwise(inner, stride),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            conv1x1(inner, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        return x + out if self.adds else out


@MODELS.register_module()
class CIFARMobileNetV2(PlainBackbone):
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) as in RepDistiller [1], total stride 16.

    It differs from the paper: plain ReLU, the 1x1 convolution also at expansion 1, and a last width
    of 1280 at any factor. Named and started as in [1]. ``stages`` are the four after which the map
    or the width changes most, as in [1]. They are linear, so ``preacts`` are the same modules.

    [1] https://github.com/HobbitLong/RepDistiller

    Args:
        widen_factor: On the channels of stem and stages, cut off to whole numbers. What papers on
            distillation call MobileNetV2 on CIFAR-100 has one half.
    """

    def __init__(self, widen_factor: float = 0.5, *, init_cfg: InitCfg = KAIMING) -> None:
        super().__init__(init_cfg)
        in_channels = int(32 * widen_factor)
        self.conv1 = nn.Sequential(
            conv3x3(3, in_channels, 2), nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True)
        )
        stages: list[nn.Sequential] = []
        for expansion, width, count, stride in _STAGES:
            blocks: list[nn.Module] = []
            for index in range(count):
                channels = int(width * widen_factor)
                first = stride if index == 0 else 1
                blocks.append(InvertedResidual(in_channels, channels, expansion, first))
                in_channels = channels
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv2 = nn.Sequential(
            conv1x1(in_channels, 1280), nn.BatchNorm2d(1280), nn.ReLU(inplace=True)
        )
        paths = tuple(f"blocks.{index}" for index in _TAPPED)
        self.taps = {"stages": paths, "preacts": paths}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.conv2(self.blocks(self.conv1(x))),)
