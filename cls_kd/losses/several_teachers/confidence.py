"""CA-MKD: several teachers, weighted by their cross-entropy with the label."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import confidence_weights, teacher_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive, check_several_teachers
from cls_kd.losses.search import TEMPERATURE, search_over
from cls_kd.signals.shapes import SignalShapes


class ConfidenceTeachersLoss(DistillLoss):
    r"""Match several teachers' softened predictions, weighted by their confidence in the label.

    Paper: Zhang et al. 2022, arXiv:2201.00007

    .. math:: L = \frac{T^2}{N P} \sum_{n,t} w_{tn} \, \mathrm{KL}(\mathrm{softmax}(z_{tn} / T)
              \,\|\, \mathrm{softmax}(z_n / T)), \quad
              w_{tn} = \frac{1 - \mathrm{softmax}_t(H_{tn})}{P - 1}

    with H the cross-entropy of a teacher's prediction, at temperature 1, with the label. The
    weights of a sample sum to 1, and the loss is divided by P once more, as in [1].

    [0] H. Zhang, D. Chen, C. Wang, "Confidence-Aware Multi-Teacher Knowledge Distillation", ICASSP
        2022, arXiv:2201.00007.
    [1] Rorozhl/CA-MKD@c2f39a9:helper/loops.py. No difference in this term. The method's second
        term, on feature maps, is `ConfidenceTeachersFeatureLoss`.

    Shapes:
        student_logits: (N, K).
        all_teacher_logits: (P, N, K), P at least 2.
        labels: (N,).

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

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor, labels: Tensor) -> Tensor:
        teachers = all_teacher_logits.detach()
        weights = confidence_weights(teachers, labels)
        return (weights * teacher_kl_each(student_logits, teachers, self.temperature)).mean()
