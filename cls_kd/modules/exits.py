"""Classifiers on the stages of a student that teach it. Never deployed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """3x3 convolution with a stride, batch normalization, ReLU."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )


class ExitClassifier(nn.Module):
    """One `ConvBlock` for each stage that would follow, pooling, and a linear classifier.

    Args:
        shapes: Shapes (C, h, w) of the stage and of all later ones.
        width: Length of the embedding, which the last block has as its channels.
        num_classes: K.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], width: int, num_classes: int) -> None:
        super().__init__()
        widths = [shape[0] for shape in shapes[:-1]] + [width]
        strides = [max(round(before[1] / after[1]), 1) for before, after in pairwise(shapes)]
        self.blocks = nn.Sequential(
            *(
                ConvBlock(widths[index], widths[index + 1], stride)
                for index, stride in enumerate(strides)
            )
        )
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Of a stage's map (N, C, h, w) the logits (N, K) and the embedding (N, D)."""
        embedding = self.blocks(feature).mean((2, 3))
        return self.classifier(embedding), embedding


class Exits(nn.ModuleList):
    """An `ExitClassifier` on every stage but the last.

    Args:
        shapes: Shapes of all stages, the first one first.
        width: Length of the embeddings.
        num_classes: K.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], width: int, num_classes: int) -> None:
        super().__init__(
            ExitClassifier(shapes[index:], width, num_classes) for index in range(len(shapes) - 1)
        )

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Of all stages' maps the logits (E, N, K) and embeddings (E, N, D) of the E exits."""
        pairs = [branch(feature) for branch, feature in zip(self, stages[:-1], strict=True)]
        logits, embeddings = zip(*pairs, strict=True)
        return torch.stack(logits), torch.stack(embeddings)


class MapExit(ExitClassifier):
    """An `ExitClassifier` that gives its last map in place of the embedding."""

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Of a stage's map (N, C, h, w) the logits (N, K) and the last map (N, D, h, w)."""
        last = self.blocks(feature)
        return self.classifier(last.mean((2, 3))), last


class MapExits(nn.ModuleList):
    """A `MapExit` on every stage but the last.

    Args:
        shapes: Shapes of all stages, the first one first.
        width: Channels of the last maps.
        num_classes: K.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], width: int, num_classes: int) -> None:
        super().__init__(
            MapExit(shapes[index:], width, num_classes) for index in range(len(shapes) - 1)
        )

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Of all stages' maps the logits (E, N, K) and maps (N, D, h, w) of the E exits."""
        pairs = [branch(feature) for branch, feature in zip(self, stages[:-1], strict=True)]
        return torch.stack([logits for logits, _ in pairs]), [last for _, last in pairs]


class StageClassifiers(nn.ModuleList):
    """An `ExitClassifier` on every stage, as wide as the last one; after this one comes one block.

    Args:
        shapes: Shapes of all stages, the first one first.
        num_classes: Length of the logits.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], num_classes: int) -> None:
        width = shapes[-1][0]
        following = [shapes[index:] for index in range(len(shapes) - 1)]
        following.append([shapes[-1], shapes[-1]])
        super().__init__(ExitClassifier(stages, width, num_classes) for stages in following)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Of all stages' maps the logits, (J, N, classes)."""
        return torch.stack(
            [branch(feature)[0] for branch, feature in zip(self, stages, strict=True)]
        )
