"""ShuffleNet V1 for 32x32 images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.models.plain_backbone import InitCfg, PlainBackbone, conv1x1, depthwise, shuffle
from cls_kd.registry import MODELS

_GROUPS = 3
_STEM = 24
_WIDTHS = (240, 480, 960)
_UNITS = (4, 8, 4)


class Unit(nn.Module):
    """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; a pooled input is concatenated."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        out = channels if stride == 1 else channels - in_channels
        inner = out // 4
        # In the very first unit there is too little to group.
        self.groups = 1 if in_channels == _STEM else _GROUPS
        self.conv1 = conv1x1(in_channels, inner, groups=self.groups)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = depthwise(inner, stride)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, out, groups=_GROUPS)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = shuffle(self.relu(self.bn1(self.conv1(x))), self.groups)
        # The public code has this ReLU, the paper has none here.
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.stride == 1:
            return self.relu(out + x)
        return self.relu(torch.cat([out, F.avg_pool2d(x, 3, stride=2, padding=1)], dim=1))


@MODELS.register_module()
class CIFARShuffleNetV1(PlainBackbone):
    """ShuffleNet V1 1x, three groups (Zhang et al. 2018, arXiv:1707.01083), as in RepDistiller [1].

    The stem is a 1x1 convolution at full size; nothing is pooled before the first stage. Named as
    in [1], where weights start as torch has them; so they do here.

    [1] https://github.com/HobbitLong/RepDistiller
    """

    def __init__(self, *, init_cfg: InitCfg = None) -> None:
        super().__init__(init_cfg)
        self.conv1 = conv1x1(3, _STEM)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.stages = tuple(f"layer{number}" for number in range(1, len(_WIDTHS) + 1))
        in_channels = _STEM
        for name, channels, count in zip(self.stages, _WIDTHS, _UNITS, strict=True):
            first = Unit(in_channels, channels, stride=2)
            rest = (Unit(channels, channels, stride=1) for _ in range(count - 1))
            self.add_module(name, nn.Sequential(first, *rest))
            in_channels = channels
        # A unit calls its ReLU several times; the last call sees the sum.
        last = tuple(
            f"{name}.{count - 1}.relu:input"
            for name, count in zip(self.stages, _UNITS, strict=True)
        )
        self.taps = {"stages": self.stages, "preacts": last}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.relu(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (x,)
