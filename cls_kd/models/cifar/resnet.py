"""ResNets of three stages for 32x32 images (He et al. 2016, arXiv:1512.03385, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import KAIMING, InitCfg, PlainBackbone, conv1x1, conv3x3
from cls_kd.registry import MODELS

_EXPANSION = 4


def _projection(in_channels: int, channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(conv1x1(in_channels, channels, stride), nn.BatchNorm2d(channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the first one carries the stride."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _projection(in_channels, channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class BottleneckBlock(nn.Module):
    """1x1, 3x3 with the stride, and 1x1 to ``channels``."""

    def __init__(self, in_channels: int, channels: int, stride: int, widen: int) -> None:
        super().__init__()
        inner = channels // _EXPANSION * widen
        self.conv1 = conv1x1(in_channels, inner)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, inner, stride)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, channels)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample = _projection(in_channels, channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


@MODELS.register_module()
class CIFARResNet(PlainBackbone):
    """ResNet-8 to -110, and the wider ResNet-8x4 and -32x4.

    Shortcuts that change shape are 1x1 convolutions with batch norm, as in RepDistiller [1]; the
    paper pads with zeros. Parameters are named as in [1] and start as there. Bottleneck blocks are
    those of OKDDip (Chen et al. 2020, arXiv:1912.00350): its "ResNet-110" is ``depth=110,
    block='bottleneck'``, its "WRN-20-8" is ``depth=20, block='bottleneck', inner_widen=8``.

    [1] https://github.com/HobbitLong/RepDistiller

    Args:
        depth: Of basic blocks 6n + 2, of bottleneck blocks 9n + 2.
        widths: Channels of the stem, and of each stage (before a bottleneck's expansion by four).
        block: Which blocks.
        inner_widen: Factor on the channels inside of a bottleneck block.
    """

    def __init__(
        self,
        depth: int,
        *,
        widths: Sequence[int] = (16, 16, 32, 64),
        block: Literal["basic", "bottleneck"] = "basic",
        inner_widen: int = 1,
        init_cfg: InitCfg = KAIMING,
    ) -> None:
        super().__init__(init_cfg)
        layers = {"basic": 6, "bottleneck": 9}[block]
        if depth < layers + 2 or (depth - 2) % layers:
            raise UserError(
                f"A ResNet of {block} blocks has a depth of {layers}n + 2, not {depth}."
            )
        if block == "basic" and inner_widen != 1:
            raise UserError("inner_widen is for block='bottleneck'; basic blocks have widths=.")
        count = (depth - 2) // layers
        self.conv1 = conv3x3(3, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.stages = tuple(f"layer{number}" for number in range(1, len(widths)))
        in_channels = widths[0]
        for name, width in zip(self.stages, widths[1:], strict=True):
            blocks: list[nn.Module] = []
            for index in range(count):
                stride = 2 if index == 0 and name != "layer1" else 1
                if block == "basic":
                    blocks.append(BasicBlock(in_channels, width, stride))
                    in_channels = width
                else:
                    channels = width * _EXPANSION
                    blocks.append(BottleneckBlock(in_channels, channels, stride, inner_widen))
                    in_channels = channels
            self.add_module(name, nn.Sequential(*blocks))
        # A block calls its ReLU several times; the last call sees the sum.
        last = tuple(f"{name}.{count - 1}.relu:input" for name in self.stages)
        self.taps = {"stages": self.stages, "preacts": last}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.relu(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (x,)
