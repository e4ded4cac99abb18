"""EBKD: several teachers, weighted by the entropy of their predictions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import teacher_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive, check_several_teachers
from cls_kd.losses.search import TEMPERATURE, search_over
from cls_kd.signals.shapes import SignalShapes


class EntropyTeachersLoss(DistillLoss):
    r"""Match several teachers' softened predictions, weighting the surer teacher of a sample more.

    Paper: Kwon et al. 2020, ICASSP 2020

    .. math:: L = \frac{T^2}{N P} \sum_{n,t} w_{tn} \, \mathrm{KL}(\mathrm{softmax}(z_{tn} / T)
              \,\|\, \mathrm{softmax}(z_n / T)), \quad w_{tn} = 1 - \frac{H_{tn}}{\sum_u H_{un}}

    with H the entropy of a teacher's prediction at temperature 1. The weights of a sample sum to
    P - 1, so that the loss is (P - 1) / P of a weighted mean.

    [0] K. Kwon, H. Na, H. Lee, N. S. Kim, "Adaptive Knowledge Distillation Based on Entropy",
        ICASSP 2020.
    [1] Rorozhl/CA-MKD@c2f39a9:helper/loops.py. No difference, but the entropy of a certain teacher
        is 0 where [1] gives NaN; teachers that are all certain have equal weights (ours).

    Shapes:
        student_logits: (N, K).
        all_teacher_logits: (P, N, K), P at least 2.

    Args:
        temperature: T. Default: CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    stateless = True

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def build(self, shapes: SignalShapes) -> None:
        check_several_teachers(self, shapes.tensor("all_teacher_logits")[0])

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor) -> Tensor:
        teachers = all_teacher_logits.detach()
        log_scores = F.log_softmax(teachers, dim=2)
        entropy = -(log_scores.exp() * log_scores).sum(2) + 1e-12  # (P, N)
        weights = 1 - entropy / entropy.sum(0)
        return (weights * teacher_kl_each(student_logits, teachers, self.temperature)).mean()
