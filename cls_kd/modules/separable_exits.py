"""Classifiers on the stages of a convolutional student, of separable convolutions (OFA)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

_DEVIATION = 0.02


class SeparableExits(nn.ModuleList):
    """One classifier on each stage: (N, C, h, w) of every stage -> (N, K) each.

    A stage with n stages after it has n blocks of stride 2, each with two depthwise-separable 3x3
    convolutions, whose channels double up to the last, which has ``width``; the last stage has one
    1x1 convolution. Pooling and a linear layer follow.

    Args:
        channels: Channels of the stages, the first one first.
        width: Channels before the linear layer.
        num_classes: K.
    """

    def __init__(self, channels: Sequence[int], width: int, num_classes: int) -> None:
        super().__init__(
            nn.Sequential(
                *_blocks(count, len(channels) - 1 - stage, width),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(width, num_classes),
            )
            for stage, count in enumerate(channels)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_DEVIATION)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        return [classify(feature) for classify, feature in zip(self, stages, strict=True)]


def _blocks(channels: int, count: int, width: int) -> list[nn.Module]:
    if count == 0:
        return [nn.Conv2d(channels, width, kernel_size=1)]
    widths = [channels * 2**block for block in range(count)] + [width]
    return [_separable(widths[block], widths[block + 1]) for block in range(count)]


def _separable(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_depthwise(in_channels, in_channels, stride=2),
        *_depthwise(in_channels, out_channels, stride=1),
    )


def _depthwise(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
