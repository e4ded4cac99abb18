"""Paraphraser and translator: factors of feature maps (factor transfer)."""

from __future__ import annotations

from torch import Tensor, nn

_SLOPE = 0.1


class Paraphraser(nn.Module):
    """Autoencoder of a teacher's map: (N, C, h, w) -> factors (N, M, h, w) and the map again.

    Three 3x3 convolutions and three transposed ones, each with a leaky ReLU (slope 0.1).

    Args:
        channels: C.
        factors: M.
    """

    def __init__(self, channels: int, factors: int) -> None:
        super().__init__()
        widths = [(channels, channels), (channels, factors), (factors, factors)]
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        for wide, narrow in widths:
            encoder += [nn.Conv2d(wide, narrow, 3, padding=1), nn.LeakyReLU(_SLOPE, inplace=True)]
        for wide, narrow in reversed(widths):
            decoder += [
                nn.ConvTranspose2d(narrow, wide, 3, padding=1),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        factors = self.encoder(feature)
        return factors, self.decoder(factors)


class Translator(nn.Sequential):
    """Factors of a student's map: (N, C, h, w) -> (N, M, h, w).

    Three 3x3 convolutions, each with batch normalization and a leaky ReLU (slope 0.1).

    Args:
        channels: C.
        factors: M, the teacher's.
    """

    def __init__(self, channels: int, factors: int) -> None:
        layers: list[nn.Module] = []
        for width, next_width in ((channels, channels), (channels, factors), (factors, factors)):
            layers += [
                nn.Conv2d(width, next_width, 3, padding=1),
                nn.BatchNorm2d(next_width),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        super().__init__(*layers)
