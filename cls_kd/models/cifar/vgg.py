"""VGG with batch norm for 32x32 images."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import KAIMING, InitCfg, PlainBackbone
from cls_kd.registry import MODELS

_WIDTHS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_SMALL = 4


def _block(in_channels: int, channels: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(count):
        first = channels if index else in_channels
        # The bias is of no use before batch norm; the published weights have one.
        conv = nn.Conv2d(first, channels, 3, padding=1)
        layers += [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


@MODELS.register_module()
class CIFARVGG(PlainBackbone):
    """VGG-8 to -19 (Simonyan and Zisserman 2015, arXiv:1409.1556) as in RepDistiller [1].

    Five blocks with one linear layer after them. Max pooling follows the first three; of an image
    of 64 pixels also the fourth, so that maps end at 4x4. The first block works at full size, as a
    stem does elsewhere: ``stages`` are the other four. Named and started as in [1].

    [1] https://github.com/HobbitLong/RepDistiller

    Args:
        depth: 8, 11, 13, 16 or 19.
    """

    def __init__(self, depth: int, *, init_cfg: InitCfg = KAIMING) -> None:
        super().__init__(init_cfg)
        if depth not in _CONVOLUTIONS:
            raise UserError(f"There is no VGG-{depth}: known are {sorted(_CONVOLUTIONS)}.")
        counts = _CONVOLUTIONS[depth]
        self.blocks = tuple(f"block{number}" for number in range(len(_WIDTHS)))
        in_channels = 3
        for name, channels, count in zip(self.blocks, _WIDTHS, counts, strict=True):
            self.add_module(name, _block(in_channels, channels, count))
            in_channels = channels
        # Modules, so that a network can be cut between any two of its parts.
        for number in range(4):
            self.add_module(f"pool{number}", nn.MaxPool2d(2))
        norms = tuple(
            f"{name}.{3 * count - 2}" for name, count in zip(self.blocks, counts, strict=True)
        )
        self.taps = {"stages": self.blocks[1:], "preacts": norms[1:]}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        for number, name in enumerate(self.blocks):
            x = self.get_submodule(name)(x)
            if number < 3 or (number == 3 and x.shape[-1] > _SMALL):
                x = self.get_submodule(f"pool{number}")(x)
        return (x,)
