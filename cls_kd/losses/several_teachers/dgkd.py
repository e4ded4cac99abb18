"""DGKD: densely guided distillation by a teacher and its assistants."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import teacher_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, search_over
from cls_kd.signals.shapes import SignalShapes


class DGKDLoss(DistillLoss):
    r"""Match a teacher and its assistants together, dropping random ones of them in each step.

    Paper: Son et al. 2021, arXiv:2009.08825

    .. math:: L = T^2 \sum_{t \in S} \mathrm{KL}(\mathrm{softmax}(z_t / T) \,\|\,
              \mathrm{softmax}(z / T))

    mean over the batch; S are the teachers that a step keeps: all but ``dropped`` of them, drawn
    anew in each step of training, on each process for itself. In evaluation all are kept. An
    assistant is a network between the teacher and the student in size; it is distilled first, in a
    run of its own (TAKD: Mirzadeh et al. 2020, arXiv:1902.03393), as in
    configs/digits/assistants.py.

    [0] W. Son, J. Na, J. Choi, W. Hwang, "Densely Guided Knowledge Distillation using Multiple
        Teacher Assistants", ICCV 2021, arXiv:2009.08825.
    [1] wonchulSon/DGKD@2599350. Differences: there KL is a mean over classes too, a factor of 1/K
        here; of two teachers with equal losses it always drops the first.

    Shapes:
        student_logits: (N, K).
        all_teacher_logits: (P, N, K), P above ``dropped``.

    Args:
        temperature: T. Default: CIFAR.
        dropped: Number of teachers that a step leaves out. Default: CIFAR.

    Weight:
        1/K, without cross-entropy, on CIFAR.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 5.0, dropped: int = 1) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_not_negative(self, dropped=dropped)
        self.temperature = temperature
        self.dropped = dropped

    def build(self, shapes: SignalShapes) -> None:
        teachers = shapes.tensor("all_teacher_logits")[0]
        if teachers <= self.dropped:
            raise UserError(
                f"DGKDLoss drops {self.dropped} of the teachers in each step, and there are "
                f"{teachers}: give a list of more teachers, teacher=[dict(...), dict(...)]."
            )

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor) -> Tensor:
        losses = teacher_kl_each(student_logits, all_teacher_logits.detach(), self.temperature)
        kept = len(losses) - (self.dropped if self.training else 0)
        drawn = torch.rand(len(losses), device=losses.device).argsort()[:kept]
        return losses.mean(1).index_select(0, drawn).sum()
