"""The base class of losses that compare the maps of paired stages, and learn nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.stages import StagePairs, paired_maps, paired_shapes
from cls_kd.signals.shapes import SignalShapes


class PairedStages(DistillLoss):
    """The sum over pairs of stages of what `compare` makes of their maps.

    The larger of two maps is average-pooled to the smaller beforehand.

    Args:
        stages: Indices in both tuples of stages, or pairs (student, teacher). Default: all.
    """

    stateless = True  # build only checks

    def __init__(self, *, stages: StagePairs = None) -> None:
        super().__init__()
        self.stages = stages

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of two maps (N, C, h, w) of equal sizes; widths may differ."""
        raise NotImplementedError

    def build(self, shapes: SignalShapes) -> None:
        paired_shapes(self, self.stages, shapes)

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_stages, teacher_stages)
        return torch.stack([self.compare(*match_size(*maps)) for maps in pairs]).sum()
