"""The base class of losses that compare stages channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.stages import StagePairs, paired_maps, paired_shapes
from cls_kd.modules.connectors import align_channels
from cls_kd.signals.shapes import SignalShapes


class AlignedStages(DistillLoss):
    """A loss of stages whose widths must agree.

    Where a student's stage has another width than the teacher's, a 1x1 convolution and batch
    normalization take it to the teacher's. Subclasses define `compare`.

    Args:
        stages: Indices in both tuples of stages, or pairs (student, teacher). Default: all.
    """

    min_stages = 1

    def __init__(self, *, stages: StagePairs = None) -> None:
        super().__init__()
        self.stages = stages
        self.connectors: nn.ModuleList | None = None

    def compare(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """The loss of the chosen stages: maps (N, C, h, w) of equal widths, first stage first."""
        raise NotImplementedError

    def build(self, shapes: SignalShapes) -> None:
        pairs = paired_shapes(self, self.stages, shapes)
        if len(pairs) < self.min_stages:
            raise UserError(
                f"{type(self).__name__} compares {self.min_stages} stages or more; it was given "
                f"{len(pairs)}."
            )
        self.connectors = nn.ModuleList(
            align_channels(student[0], teacher[0]) for student, teacher in pairs
        )

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_stages, teacher_stages)
        connectors = built(self.connectors, self)
        student = [connect(maps[0]) for connect, maps in zip(connectors, pairs, strict=True)]
        return self.compare(student, [maps[1] for maps in pairs])
