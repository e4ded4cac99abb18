"""LDRLD: local dense relations of logits."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import softened_kl, softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class LDRLDLoss(DistillLoss):
    r"""Match the relations of all pairs among the student's top classes, and the remaining classes.

    Paper: Xu et al. 2025, arXiv:2507.15911

    .. math:: L = \frac{\alpha T^2}{k(k-1)/2 + 1} \Big( \mathrm{KL}_{1..k} +
              \sum_{i<j \le k} w_{ij} \, \mathrm{KL}_{ij} \Big) + \beta T^2 \, \mathrm{KL}_{k+1..K},
              \quad w_{ij} = \frac{2 e^{-0.05 (i+j)}}{1.5 + |i-j|}

    with KL(teacher || student) of the softmaxes at temperature T over the classes named by their
    ranks in the student's logits; mean over the batch.

    [0] L. Xu, K. Liu, J. Liu, L. Wang, L. Xu, J. Cheng, "Local Dense Logit Relations for Enhanced
        Knowledge Distillation", ICCV 2025, arXiv:2507.15911.
    [1] yema-web/LDRLD@b4dcfc9:distiller_zoo/LDRLD.py. Differences: classes are selected instead of
        masked by -1000; for k = 2 the term of all k classes has the weight 1, and there w_12.

    Shapes:
        student_logits, teacher_logits: (N, K), K at least k.

    Args:
        alpha: alpha. Default: ResNet32x4 to ResNet8x4 on CIFAR-100.
        beta: beta. Default: the same pair.
        k: k, number of top classes, at least 2. Default: CIFAR-100.
        temperature: T. Default: CIFAR-100.
    """

    search_space = search_over(
        alpha=Range(1.0, 50.0, log=True), beta=Range(1.0, 50.0, log=True), temperature=TEMPERATURE
    )

    def __init__(
        self, *, alpha: float = 10.5, beta: float = 7.0, k: int = 7, temperature: float = 4.0
    ) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta)
        check_positive(self, temperature=temperature)
        if not isinstance(k, int) or k < 2:
            raise UserError(f"{type(self).__name__}: k must be a whole number above 1, not {k!r}.")
        self.alpha = alpha
        self.beta = beta
        self.k = k
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> dict[str, Tensor]:
        classes = student_logits.shape[1]
        if classes < self.k:
            raise UserError(f"{type(self).__name__}: k={self.k}, and there are {classes} classes.")
        order = student_logits.detach().argsort(1, descending=True)
        student = student_logits.gather(1, order)
        teacher = teacher_logits.detach().gather(1, order)
        top = softened_kl(student[:, : self.k], teacher[:, : self.k], self.temperature)
        pairs = self._pairs(student, teacher)
        rest = softened_kl(student[:, self.k :], teacher[:, self.k :], self.temperature)
        count = self.k * (self.k - 1) // 2 + 1
        return dict(loss_local=self.alpha * (top + pairs) / count, loss_rest=self.beta * rest)

    def _pairs(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Weighted sum over the pairs of ranks, mean over the batch."""
        ranks = torch.triu_indices(self.k, self.k, 1, device=student.device)  # (2, P)
        student_pairs = student[:, ranks].transpose(1, 2).flatten(0, 1)  # (N * P, 2)
        teacher_pairs = teacher[:, ranks].transpose(1, 2).flatten(0, 1)
        losses = softened_kl_each(student_pairs, teacher_pairs, self.temperature)
        losses = losses.view(len(student), -1)  # (N, P)
        first, second = ranks + 1.0
        weights = 2 * (-0.05 * (first + second)).exp() / (1.5 + second - first)
        return (weights * losses).sum(1).mean()
