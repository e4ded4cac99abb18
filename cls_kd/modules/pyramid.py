"""FRSKD's self-teacher: a bidirectional feature pyramid on the student's stages. Never deployed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.modules.connectors import ConvConnector


class WeightedSum(nn.Module):
    """A sum of maps with learned weights that are not negative and sum to 1."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(count))

    def forward(self, *maps: Tensor) -> Tensor:
        weights = self.weights.relu()
        weights = weights / (weights.sum() + 1e-6)
        return torch.stack([w * m for w, m in zip(weights, maps, strict=True)]).sum(0)


class SeparableConvs(nn.Sequential):
    """Two depthwise-separable 3x3 convolutions with batch normalization, a ReLU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            *_separable(channels),
            nn.ReLU(inplace=True),
            *_separable(channels),
        )


def _separable(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


class SelfTeacher(nn.Module):
    """BiFPNc: from deep to shallow stages and back, then pooling and a linear classifier.

    As MingiJi/FRSKD@98b87e5:classification/models/bifpnc.py with one layer: each stage has twice
    the student's channels. Sizes of maps follow the student's, whatever they are (ours).

    Args:
        shapes: Shapes (C, h, w) of the student's stages, the first one first.
        num_classes: K.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], num_classes: int) -> None:
        super().__init__()
        stages = range(len(shapes))
        widths = [2 * shape[0] for shape in shapes]
        self.lateral = nn.ModuleList(ConvConnector(shapes[i][0], widths[i]) for i in stages)
        # The first stage is an end of both ways, and so is the last one.
        self.lateral_again = nn.ModuleList(
            ConvConnector(shapes[i][0], widths[i]) for i in stages[1:]
        )
        self.up = nn.ModuleList(ConvConnector(widths[i + 1], widths[i]) for i in stages[:-1])
        self.up_sum = nn.ModuleList(WeightedSum(2) for _ in stages[:-1])
        self.up_conv = nn.ModuleList(SeparableConvs(widths[i]) for i in stages[:-1])
        self.down = nn.ModuleList(ConvConnector(widths[i - 1], widths[i]) for i in stages[1:])
        self.down_sum = nn.ModuleList(WeightedSum(2 if i == stages[-1] else 3) for i in stages[1:])
        self.down_conv = nn.ModuleList(SeparableConvs(widths[i]) for i in stages[1:])
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Of the student's maps the teacher's logits, (N, K), and its map of each stage."""
        middle = self._to_shallow(stages)
        maps = [middle[0]]
        for index, (stage, down) in enumerate(zip(stages[1:], self.down, strict=True)):
            below = _pooled(down(maps[-1]), stage)
            is_last = index == len(self.down) - 1
            parts = [self.lateral_again[index](stage), below]
            parts += [] if is_last else [middle[index + 1]]
            maps.append(self.down_conv[index](self.down_sum[index](*parts)))
        features = tuple(item.relu() for item in maps)
        return self.classifier(features[-1].mean((2, 3))), features

    def _to_shallow(self, stages: Sequence[Tensor]) -> list[Tensor]:
        maps = [lateral(stage) for lateral, stage in zip(self.lateral, stages, strict=True)]
        for index in reversed(range(len(self.up))):
            above = F.interpolate(maps[index + 1], size=maps[index].shape[-2:], mode="nearest")
            summed = self.up_sum[index](maps[index], self.up[index](above))
            maps[index] = self.up_conv[index](summed)
        return maps


def _pooled(feature: Tensor, stage: Tensor) -> Tensor:
    """Max-pool a map to the height and width of a stage: 3x3, with the stride between both."""
    if feature.shape[-2:] == stage.shape[-2:]:
        return feature
    stride = -(-feature.shape[-2] // stage.shape[-2])
    return F.max_pool2d(feature, 3, stride, padding=1)
