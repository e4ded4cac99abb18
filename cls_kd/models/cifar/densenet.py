"""DenseNet-BC for 32x32 images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import KAIMING, InitCfg, PlainBackbone, conv1x1, conv3x3
from cls_kd.registry import MODELS

_BLOCKS = 3


class DenseLayer(nn.Module):
    """Batch norm, ReLU, 1x1, batch norm, ReLU, 3x3: adds ``growth`` channels to its input."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv1x1(in_channels, 4 * growth)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv3x3(4 * growth, growth)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(self.relu(self.bn1(x)))
        out = self.conv2(self.relu(self.bn2(out)))
        return torch.cat([x, out], dim=1)


class Transition(nn.Module):
    """Batch norm, ReLU, 1x1 to half of the channels, average pooling."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = conv1x1(in_channels, in_channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(self.relu(self.bn(x))), 2)


@MODELS.register_module()
class CIFARDenseNet(PlainBackbone):
    """DenseNet-BC (Huang et al. 2017, arXiv:1608.06993): three dense blocks, each halved after.

    With ``depth=40, growth=12`` it is the DenseNet-40-12 of OKDDip (Chen et al. 2020,
    arXiv:1912.00350), whose last map has 132 channels; in the paper of DenseNet that name stands
    for a network without bottlenecks and of 1.0 million parameters.

    ``stages`` are the dense blocks' outputs, ``preacts`` the batch norm after each.

    Args:
        depth: 6n + 4.
        growth: Channels that each layer adds.
    """

    def __init__(self, depth: int, growth: int, *, init_cfg: InitCfg = KAIMING) -> None:
        super().__init__(init_cfg)
        if depth < 10 or (depth - 4) % 6:
            raise UserError(f"A DenseNet-BC has a depth of 6n + 4, not {depth}.")
        count = (depth - 4) // 6
        channels = 2 * growth
        self.conv1 = conv3x3(3, channels)
        self.dense = nn.ModuleList()
        self.transitions = nn.ModuleList()
        for number in range(_BLOCKS):
            widths = range(channels, channels + count * growth, growth)
            self.dense.append(nn.Sequential(*(DenseLayer(width, growth) for width in widths)))
            channels += count * growth
            if number < _BLOCKS - 1:
                self.transitions.append(Transition(channels))
                channels //= 2
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        norms = (*(f"transitions.{number}.bn" for number in range(_BLOCKS - 1)), "bn")
        self.taps = {
            "stages": tuple(f"dense.{number}" for number in range(_BLOCKS)),
            "preacts": norms,
        }

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.dense[0](self.conv1(x))
        for transition, dense in zip(self.transitions, self.dense[1:], strict=True):
            x = dense(transition(x))
        return (self.relu(self.bn(x)),)
