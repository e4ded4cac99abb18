"""A small convolutional network for 8x8 images: trains in seconds on one core."""

from __future__ import annotations

from collections.abc import Sequence

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from cls_kd.registry import MODELS


class Stage(nn.Sequential):
    """Convolution, batch norm and ReLU, each reachable by its name.

    The ReLU is not in place: what a hook reads at ``norm`` stays as it was before the ReLU.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()


@MODELS.register_module()
class DigitsCNN(BaseBackbone):
    """One 3x3 convolution a stage; every stage but the first halves the map: 8x8, 4x4, 2x2.

    Args:
        widths: Channels of each stage.
        in_channels: Channels of an image.
        dropout: Probability with which a channel is zeroed in training, after the last stage.

    Attributes:
        taps: Where the features are: signal name to module paths whose output is the map.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        in_channels: int = 1,
        dropout: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        names = tuple(f"stage{number}" for number in range(1, len(widths) + 1))
        for name, channels in zip(names, widths, strict=True):
            self.add_module(name, Stage(in_channels, channels, stride=1 if name == "stage1" else 2))
            in_channels = channels
        self.dropout = nn.Dropout2d(dropout)
        self.taps = {"stages": names, "preacts": tuple(f"{name}.norm" for name in names)}

    def train(self, mode: bool = True) -> DigitsCNN:
        """Return the module, as torch does; mmpretrain's method returns None."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Images (N, in_channels, H, W) to the last map (N, C, h, w), alone in a tuple."""
        for name in self.taps["stages"]:
            x = self.get_submodule(name)(x)
        return (self.dropout(x),)
