"""ABKD: alpha-beta divergence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class ABKDLoss(DistillLoss):
    r"""Match the teacher's class distribution by the alpha-beta divergence.

    Paper: Wang et al. 2025, arXiv:2505.04560

    .. math:: L = -\frac{1}{\alpha\beta} \sum_c \Big( t_c^\alpha s_c^\beta
              - \frac{\alpha}{\alpha+\beta} t_c^{\alpha+\beta}
              - \frac{\beta}{\alpha+\beta} s_c^{\alpha+\beta} \Big)

    with s and t the softmaxes at temperature T; mean over the batch, without T^2. Where alpha or
    beta is 0, it is the limit of this: (1, 0) is the KL divergence of KD, (0, 1) its reverse.

    [0] G. Wang, Z. Yang, Z. Wang, S. Wang, Q. Xu, Q. Huang, "ABKD: Pursuing a Proper Allocation of
        the Probability Mass in Knowledge Distillation via alpha-beta-Divergence", ICML 2025,
        arXiv:2505.04560.
    [1] ghwang-s/abkd@df81318:standard_classification/distiller_zoo/abkl.py. Differences: powers are
        taken of log-probabilities; at alpha = 0 or beta = 0 the limit has the factor 1 / beta^2 or
        1 / alpha^2, where [1] has 1 / beta or 1 / alpha; negative values are refused.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        alpha: alpha. Default: ResNet56 to ResNet20 on CIFAR-100.
        beta: beta. Default: the same pair.
        temperature: T. Default: CIFAR-100.

    Weight:
        32 or 64 in the authors' scripts for CIFAR-100.
    """

    search_space = search_over(alpha=Range(0.1, 1.5), beta=Range(0.1, 1.5), temperature=TEMPERATURE)

    def __init__(self, *, alpha: float = 0.8, beta: float = 0.3, temperature: float = 4.0) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta)
        check_positive(self, temperature=temperature)
        if alpha == beta == 0:
            raise UserError(f"{type(self).__name__}: alpha and beta must not both be 0.")
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        student = F.log_softmax(student_logits / self.temperature, dim=1)
        teacher = F.log_softmax(teacher_logits.detach() / self.temperature, dim=1)
        if self.beta == 0:
            return _limit(teacher, student, self.alpha)
        if self.alpha == 0:
            return _limit(student, teacher, self.beta)
        return _divergence(teacher, student, self.alpha, self.beta)


def _divergence(log_p: Tensor, log_q: Tensor, alpha: float, beta: float) -> Tensor:
    total = alpha + beta
    mixed = (alpha * log_p + beta * log_q).exp()
    pure = (alpha * (total * log_p).exp() + beta * (total * log_q).exp()) / total
    return (pure - mixed).sum(1).mean() / (alpha * beta)


def _limit(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """The divergence for beta to 0."""
    p, q = (alpha * log_p).exp(), (alpha * log_q).exp()
    return (p * alpha * (log_p - log_q) - p + q).sum(1).mean() / alpha**2
