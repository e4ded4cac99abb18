"""Connectors: trained maps from a student's features to the teacher's shape. Never deployed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvConnector(nn.Sequential):
    """1x1 convolution, batch normalization, ReLU: (N, C_in, h, w) -> (N, C_out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class LinearConnector(nn.Sequential):
    """1x1 convolution and batch normalization: (N, C_in, h, w) -> (N, C_out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class ResizingConnector(nn.Sequential):
    """A convolution from a student's map to a teacher's size, batch normalization, ReLU.

    (N, C_in, h_in, w_in) -> (N, C_out, h_out, w_out). The convolution follows from the sizes, as in
    HobbitLong/RepDistiller@b84f547:models/util.py:

    ===================  =============================================================
    map of the student   convolution
    ===================  =============================================================
    as large             1x1
    twice as large       3x3, stride 2, padding 1
    half as large        transposed, 4x4, stride 2, padding 1
    larger otherwise     of the size that leaves the teacher's map, without padding
    smaller otherwise    1x1; the size stays (ours: there, it is an error)
    ===================  =============================================================

    Convolutions have no bias, which batch normalization would take out again.

    Args:
        student: Shape of the student's map, (C_in, h_in, w_in).
        teacher: Shape of the teacher's map, (C_out, h_out, w_out).
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        super().__init__(*resizing_layers(student, teacher), nn.ReLU(inplace=True))


def align_maps(student: Sequence[int], teacher: Sequence[int]) -> nn.Module:
    """A `ResizingConnector` without its ReLU, or nothing where the shapes (C, h, w) agree."""
    if tuple(student) == tuple(teacher):
        return nn.Identity()
    return nn.Sequential(*resizing_layers(student, teacher))


def resizing_layers(student: Sequence[int], teacher: Sequence[int]) -> list[nn.Module]:
    """Convolution and batch normalization of a `ResizingConnector`."""
    return [_resizing_convolution(student, teacher), nn.BatchNorm2d(teacher[0])]


def _resizing_convolution(student: Sequence[int], teacher: Sequence[int]) -> nn.Module:
    channels, sizes = (student[0], teacher[0]), list(zip(student[1:], teacher[1:], strict=True))
    if all(ours == 2 * theirs for ours, theirs in sizes):
        return nn.Conv2d(*channels, 3, stride=2, padding=1, bias=False)
    if all(2 * ours == theirs for ours, theirs in sizes):
        return nn.ConvTranspose2d(*channels, 4, stride=2, padding=1, bias=False)
    if all(ours >= theirs for ours, theirs in sizes):
        height, width = (1 + ours - theirs for ours, theirs in sizes)
        return nn.Conv2d(*channels, (height, width), bias=False)
    return nn.Conv2d(*channels, 1, bias=False)


class BottleneckConnector(nn.Sequential):
    """Convolutions 1x1, 3x3 and 1x1: (N, C_in, h, w) -> (N, C_out, h, w).

    Batch normalization and ReLU follow the first two, of ``mid_channels``; no bias.
    """

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, mid_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=1, bias=False),
        )


class NarrowConnector(nn.Sequential):
    """Convolutions 1x1, 3x3 and 1x1 through ``mid_channels``, batch normalization, ReLU.

    (N, C_in, h, w) -> (N, C_out, h, w). Nothing lies between the convolutions; the last two have no
    bias, which batch normalization would take out again.
    """

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, mid_channels, kernel_size=1),
            nn.Conv2d(mid_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.Conv2d(mid_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class ConvGenerator(nn.Sequential):
    """Two 3x3 convolutions with a ReLU between them: (N, C, h, w) -> (N, C, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )


class TokenGenerator(nn.Module):
    """Generate a teacher's patch tokens from masked ones: (N, L, D_in) -> (N, L, D_out).

    A linear layer (nothing where the widths agree); one learned token in place of a fraction
    ``mask_ratio`` of each sample's patches; a `ConvGenerator` on their square grid. Also returns
    the mask, (N, L, 1).
    """

    def __init__(self, in_features: int, out_features: int, mask_ratio: float) -> None:
        super().__init__()
        self.align = align_width(in_features, out_features)
        # Three axes, as its source has it: an optimizer that spares vectors decays this one.
        self.mask_token = nn.Parameter(torch.zeros(1, 1, out_features))
        self.generator = ConvGenerator(out_features)
        self.mask_ratio = mask_ratio

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        aligned = self.align(patches)
        count, length, width = aligned.shape
        # As many in every sample: those with the largest random numbers.
        rank = torch.rand(count, length, device=aligned.device).argsort(dim=1).argsort(dim=1)
        masked = (rank >= int(length * (1 - self.mask_ratio))).unsqueeze(2)
        tokens = torch.where(masked, self.mask_token, aligned)
        side = math.isqrt(length)
        grid = tokens.transpose(1, 2).reshape(count, width, side, side)
        return self.generator(grid).flatten(2).transpose(1, 2), masked


def align_width(in_features: int, out_features: int) -> nn.Module:
    """A linear layer on the last axis, or nothing where the widths agree."""
    if in_features == out_features:
        return nn.Identity()
    return nn.Linear(in_features, out_features)


def align_channels(in_channels: int, out_channels: int) -> nn.Module:
    """A `LinearConnector`, or nothing where the widths agree."""
    if in_channels == out_channels:
        return nn.Identity()
    return LinearConnector(in_channels, out_channels)


class UnitEmbedding(nn.Module):
    """A linear layer onto the unit sphere: (N, D) -> (N, dim), each row of length 1."""

    def __init__(self, in_features: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, dim)

    def forward(self, embedding: Tensor) -> Tensor:
        return F.normalize(self.linear(embedding), dim=1)


class FrozenUnitEmbedding(nn.Module):
    """A random linear map onto the unit sphere that is never trained: (N, D) -> (N, dim).

    Weights are buffers, drawn as those of ``nn.Linear``: checkpoints hold them, optimizers do not.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, in_features: int, dim: int) -> None:
        super().__init__()
        drawn = nn.Linear(in_features, dim)
        self.register_buffer("weight", drawn.weight.detach())
        self.register_buffer("bias", drawn.bias.detach())

    def forward(self, embedding: Tensor) -> Tensor:
        return F.normalize(F.linear(embedding, self.weight, self.bias), dim=1)


class ProjectionHead(nn.Sequential):
    """Two linear layers of one width with a ReLU between them: (..., D) -> (..., D)."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width))
