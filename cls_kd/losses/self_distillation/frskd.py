"""FRSKD: refine myself by teaching myself, by feature refinement."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import attention_map, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.modules.pyramid import SelfTeacher
from cls_kd.signals.shapes import SignalShapes


class FRSKDLoss(DistillLoss):
    r"""Match a self-teacher's predictions and attention maps, refined from the student's stages.

    Paper: Ji et al. 2021, arXiv:2103.08273

    .. math:: L = \mathrm{criterion}(z^t) + \alpha T^2 \, \mathrm{KL}(\mathrm{softmax}(z^t / T)
              \,\|\, \mathrm{softmax}(z^s / T)) + \beta \sum_j \mathrm{mean}\,(Q^s_j - Q^t_j)^2

    with Q the attention map of ``ATLoss``. The self-teacher is a bidirectional feature pyramid on
    the student's stages with a classifier of its own, and a part of the loss. It learns from the
    labels, which trains the student's stages too; in the other two terms it is a constant.

    [0] M. Ji, S. Shin, S. Hwang, G. Park, I.-C. Moon, "Refine Myself by Teaching Myself: Feature
        Refinement via Self-Knowledge Distillation", CVPR 2021, arXiv:2103.08273.
    [1] MingiJi/FRSKD@98b87e5:classification/main.py, distill_loss/AT.py and models/bifpnc.py. No
        difference in the losses; the self-teacher was written after its description and not
        compared weight by weight. The variants with mixed images and rotations are not here.

    Shapes:
        student_logits: (N, K).
        student_stages: tuple of (N, C, h, w).

    Args:
        temperature: T. Default: CIFAR-100.
        logit_weight: alpha. Default: CIFAR-100.
        feature_weight: beta. Default: CIFAR-100.
    """

    search_space = search_over(
        temperature=TEMPERATURE,
        logit_weight=Range(0.2, 20.0, log=True),
        feature_weight=Range(1.0, 1000.0, log=True),
    )

    def __init__(
        self,
        *,
        temperature: float = 4.0,
        logit_weight: float = 2.0,
        feature_weight: float = 100.0,
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_not_negative(self, logit_weight=logit_weight, feature_weight=feature_weight)
        self.temperature = temperature
        self.logit_weight = logit_weight
        self.feature_weight = feature_weight
        self.teacher: SelfTeacher | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.teacher = SelfTeacher(shapes.tensors("student_stages"), shapes.num_classes)

    def forward(
        self,
        student_logits: Tensor,
        student_stages: tuple[Tensor, ...],
        student_criterion: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        logits, stages = built(self.teacher, self)(student_stages)
        attention = torch.stack(
            [
                F.mse_loss(attention_map(student), attention_map(teacher.detach()))
                for student, teacher in zip(student_stages, stages, strict=True)
            ]
        ).sum()
        kl = softened_kl(student_logits, logits.detach(), self.temperature)
        return dict(
            loss_task=student_criterion(logits),
            loss_logits=self.logit_weight * kl,
            loss_features=self.feature_weight * attention,
        )
