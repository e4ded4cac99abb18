"""Bridges between the stages of two networks (FCFD). Trained, never deployed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from cls_kd.errors import UserError

Convolution = nn.Conv2d | nn.ConvTranspose2d


class StageBridge(nn.Sequential):
    """A convolution to another network's stage, batch normalization, leaky ReLU.

    (N, C_in, h_in, w_in) -> (N, C_out, h_out, w_out): 3x3, with stride 2 to half the size, or a
    transposed 4x4 convolution to twice the size.

    Args:
        source: Shape of the map, (C_in, h_in, w_in).
        target: Shape of the other network's, (C_out, h_out, w_out).

    Raises:
        UserError: The sizes are neither equal nor apart by a factor of 2.
    """

    def __init__(self, source: Sequence[int], target: Sequence[int]) -> None:
        convolution = _convolution(source, target)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out")
        super().__init__(convolution, nn.BatchNorm2d(target[0]), nn.LeakyReLU(0.1))


def _convolution(source: Sequence[int], target: Sequence[int]) -> Convolution:
    channels, before, after = (source[0], target[0]), tuple(source[1:]), tuple(target[1:])
    if before == after:
        return nn.Conv2d(*channels, 3, padding=1, bias=False)
    if before == tuple(2 * size for size in after):
        return nn.Conv2d(*channels, 3, stride=2, padding=1, bias=False)
    if tuple(2 * size for size in before) == after:
        return nn.ConvTranspose2d(*channels, 4, stride=2, padding=1, bias=False)
    raise UserError(
        f"A bridge leads between maps of equal size, or of half or twice the size, not from "
        f"{before[0]}x{before[1]} to {after[0]}x{after[1]}."
    )
