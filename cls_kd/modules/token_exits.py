"""Classifiers on the blocks of a student that keeps tokens, of transformer blocks (OFA)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cls_kd.functional import grid_side
from cls_kd.signals.shapes import Shape

_DEVIATION = 0.02
_GRID = 7


class TokenExits(nn.ModuleList):
    """One classifier on the tokens after each given block: (N, L, D) of each -> (N, K) each.

    Neighboring patches are merged, 2x2 to one, while the grid stays at 7x7 or more; transformer
    blocks follow, one for each later exit and at least one, and a linear layer on the class token,
    which passes by the merging, or on the mean of the patches.

    Args:
        shapes: (L, D) of the tokens, of the first block first.
        width: Channels of the transformer blocks.
        num_classes: K.
        heads: Heads of attention.
    """

    def __init__(
        self, shapes: Sequence[Shape], width: int, num_classes: int, heads: int = 4
    ) -> None:
        last = len(shapes) - 1
        super().__init__(
            _TokenExit(shape, width, num_classes, max(last - index, 1), heads)
            for index, shape in enumerate(shapes)
        )
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.trunc_normal_(parameter, std=_DEVIATION)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        return [classify(item) for classify, item in zip(self, tokens, strict=True)]


class _TokenExit(nn.Module):
    def __init__(self, shape: Shape, width: int, num_classes: int, blocks: int, heads: int) -> None:
        super().__init__()
        length, channels = shape
        side = grid_side(length)
        self.class_tokens = length - side**2
        merging: list[nn.Module] = []
        while side % 2 == 0 and side // 2 >= _GRID:
            side //= 2
            is_last = side % 2 == 1 or side // 2 < _GRID
            activation = nn.Identity() if merging and is_last else nn.GELU()
            merging.append(_PatchMerging(channels, width, activation))
            channels = width
        self.merging = nn.Sequential(*merging)
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(blocks)
            )
        )
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        classes, patches = tokens[:, : self.class_tokens], tokens[:, self.class_tokens :]
        seen = self.blocks(torch.cat([classes, self.merging(patches)], dim=1))
        return self.classifier(seen[:, 0] if self.class_tokens else seen.mean(dim=1))


class _PatchMerging(nn.Sequential):
    """2x2 neighbors to one token: (N, L, C) -> (N, L / 4, width)."""

    def __init__(self, channels: int, width: int, activation: nn.Module) -> None:
        super().__init__(
            nn.LayerNorm(4 * channels), nn.Linear(4 * channels, width, bias=False), activation
        )

    def forward(self, patches: Tensor) -> Tensor:
        side = grid_side(patches.shape[1])
        grid = patches.unflatten(1, (side // 2, 2, side // 2, 2)).transpose(2, 3)
        return super().forward(grid.flatten(3).flatten(1, 2))
