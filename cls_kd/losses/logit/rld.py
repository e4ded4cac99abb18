"""RLD: refined logit distillation."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import decouple, softened_kl, subset_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class RLDLoss(DistillLoss):
    r"""Transfer the teacher's confidence to the label, and its ranking below the label.

    Paper: Sun et al. 2024, arXiv:2408.07703

    .. math:: L = \alpha T^2 \, \mathrm{KL}([t_{max}, 1 - t_{max}] \,\|\, [s_y, 1 - s_y])
                + \beta T^2 \, \mathrm{KL}(t^{M} \,\|\, s^{M})

    with s and t the softmaxes at temperature T, y the label, and M the classes whose teacher logit
    is below that of the label: the superscript is the softmax over these alone, and a sample
    without such classes has no second term. Mean over the batch.

    [0] W. Sun, D. Chen, S. Lyu, G. Chen, C. Chen, C. Wang, "Knowledge Distillation with Refined
        Logits", ICCV 2025, arXiv:2408.07703.
    [1] zju-SWJ/RLD@d54578f:mdistiller/distillers/RLD.py. Differences: one temperature for both
        terms, as its published command sets it; classes are left out instead of masked by -1000;
        the warm-up over 20 epochs is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperature: T. Default: CIFAR-100; on ImageNet 1.
        alpha: alpha, weight of the confidence term. Default: CIFAR-100 and ImageNet.
        beta: beta, weight of the ranking term. Default: CIFAR-100; on ImageNet 0.5 and 2.
    """

    search_space = search_over(
        alpha=Range(0.1, 10.0, log=True), beta=Range(0.1, 20.0, log=True), temperature=TEMPERATURE
    )

    def __init__(self, *, temperature: float = 4.0, alpha: float = 1.0, beta: float = 8.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_not_negative(self, alpha=alpha, beta=beta)
        self.temperature = temperature
        self.alpha = alpha
        self.beta = beta

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        teacher_logits = teacher_logits.detach()
        student, _ = decouple(student_logits / self.temperature, labels)
        teacher, _ = decouple(teacher_logits / self.temperature, teacher_logits.argmax(1))
        confidence = self.temperature**2 * softened_kl(student, teacher)
        below = teacher_logits < teacher_logits.gather(1, labels.unsqueeze(1))
        ranking = subset_kl_each(student_logits, teacher_logits, below, self.temperature).mean()
        return self.alpha * confidence + self.beta * ranking
