"""OFA's exits: a logit loss on classifiers that are attached to the student's stages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.wrapper import LossWrapper
from cls_kd.modules.separable_exits import SeparableExits
from cls_kd.signals.shapes import SignalShapes


class OFAExitsLoss(LossWrapper):
    r"""Apply a logit loss to exits: classifiers on every stage of a convolutional student.

    Paper: Hao et al. 2023, arXiv:2310.19444

    .. math:: L = \sum_{i=1}^{S} L_\mathrm{inner}(h_i(f^s_i), z^t)

    with h_i the exit of stage i: for each later stage a block of separable convolutions, for the
    last one a 1x1 convolution, to the larger of the student's and the teacher's width; then pooling
    and a linear layer. Exits compare predictions alone, so that the teacher may be of another
    architecture. They are trained with the student and not deployed.

    [0] Z. Hao, J. Guo, K. Han, Y. Tang, H. Hu, Y. Wang, C. Xu, "One-for-All: Bridge the Gap Between
        Heterogeneous Architectures in Knowledge Distillation", NeurIPS 2023, arXiv:2310.19444.
    [1] Hao840/OFAKD@f7bb896:distillers/ofa.py, the branches of its CNN students; no value was
        compared. Differences: any number of stages, not four alone; the branches of its
        transformer and MLP students (patch merging and transformer blocks) are left out.

    Shapes:
        student_stages: tuple of (N, C, h, w).
        teacher_embedding: (N, D); its width alone is used.
        Others: what the inner loss asks for, less ``student_logits``.

    Args:
        loss: The inner loss or its config; it asks for ``student_logits``. In the paper OFA's loss
            of logits.

    Weight:
        1 on CIFAR-100 and ImageNet, beside 1 for the same loss of the final logits.
    """

    asks = ("student_stages", "teacher_embedding")

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        if "student_logits" not in self.loss.signals:
            raise UserError(
                f"OFAExitsLoss: {type(self.loss).__name__} does not ask for 'student_logits', in "
                "whose place the logits of exits are given."
            )
        self.exits: SeparableExits | None = None

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The student's stages, and the inner loss's signals but the student's logits."""
        inner = (name for name in self.loss.signals if name != "student_logits")
        return tuple(dict.fromkeys((*self.asks, *inner)))

    def build(self, shapes: SignalShapes) -> None:
        channels = [stage[0] for stage in shapes.tensors("student_stages")]
        width = max(channels[-1], shapes.tensor("teacher_embedding")[0])
        self.exits = SeparableExits(channels, width, shapes.num_classes)
        super().build(shapes)

    def forward(self, **signals: Any) -> Tensor:
        logits = built(self.exits, self)(signals["student_stages"])
        others = self.inner_signals(signals)
        terms = [_total(self.loss(student_logits=item, **others)) for item in logits]
        return torch.stack(terms).sum()


def _total(result: Tensor | dict[str, Tensor]) -> Tensor:
    if isinstance(result, Tensor):
        return result
    return torch.stack([value for name, value in result.items() if "loss" in name]).sum()
