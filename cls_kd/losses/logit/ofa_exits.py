"""OFA's exits: a logit loss on classifiers that are attached to the student's stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.logit_exits import LogitExits
from cls_kd.modules.separable_exits import SeparableExits
from cls_kd.signals.shapes import SignalShapes


class OFAExitsLoss(LogitExits):
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
        compared. Difference: any number of stages, not four alone. The branches of its transformer
        and MLP students are `OFATokenExitsLoss`.

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
    tapped = "student_stages"

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)

    def make_exits(self, shapes: SignalShapes) -> SeparableExits:
        channels = [stage[0] for stage in shapes.tensors("student_stages")]
        width = max(channels[-1], shapes.tensor("teacher_embedding")[0])
        return SeparableExits(channels, width, shapes.num_classes)
