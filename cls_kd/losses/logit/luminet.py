"""LumiNet: logits standardized per class over the batch."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over

_EPS = 1e-5


class LumiNetLoss(DistillLoss):
    r"""Match class distributions of logits that are standardized per class over the batch.

    Paper: Hossain et al. 2023, arXiv:2310.03669

    .. math:: L = \alpha^2 \, \mathrm{KL}(\mathrm{softmax}(h^t / T) \,\|\,
              \mathrm{softmax}(h^s / T)), \quad
              h_n = (z_n - \mathrm{mean}_m z_m) / \sqrt{\mathrm{var}_m z_m + 10^{-5}}

    with mean and biased variance of each class over the local batch; summed over classes, mean over
    the batch. The gradient flows through the student's mean and variance. The factor is alpha^2 in
    place of T^2.

    [0] M. I. Hossain, M. M. L. Elahi, S. Ramasinghe, A. Cheraghian, F. Rahman, N. Mohammed,
        S. Rahman, "LumiNet: Perception-Driven Knowledge Distillation via Statistical Logit
        Calibration", TMLR 2025, arXiv:2310.03669.
    [1] ismail31416/LumiNet@8cf749b:mdistiller/distillers/Luminet.py. Difference: the warm-up over
        20 epochs is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        alpha: alpha. Default: ResNet32x4 to ResNet8x4 on CIFAR-100; on ImageNet 2.
        temperature: T. Default: the same pair; on ImageNet 0.7.
    """

    search_space = search_over(alpha=Range(1.0, 100.0, log=True), temperature=TEMPERATURE)

    def __init__(self, *, alpha: float = 33.0, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, alpha=alpha, temperature=temperature)
        self.alpha = alpha
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        student = _standardize_classes(student_logits) / self.temperature
        teacher = _standardize_classes(teacher_logits.detach()) / self.temperature
        return self.alpha**2 * softened_kl(student, teacher)


def _standardize_classes(logits: Tensor) -> Tensor:
    variance = logits.var(0, correction=0)
    return (logits - logits.mean(0)) / (variance + _EPS).sqrt()
