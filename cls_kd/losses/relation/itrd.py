"""ITRD: information theoretic representation distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional import pairwise_cosines, standardize_columns
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.signals.shapes import SignalShapes


class ITRDLoss(DistillLoss):
    r"""Maximize the correlation of each feature, and the mutual information of similarities.

    Paper: Miles et al. 2022, arXiv:2112.00459

    .. math:: L = \lambda_c \log_2 \sum_d | 1 - c_d |^{2\alpha}
                + \lambda_m \left( \| \hat G^s \|_F^2 - \| \hat G^{st} \|_F^2 \right)

    with c_d the correlation, over the batch, of entry d of r(e^s) and e^t, r a linear layer to the
    teacher's width. G^s and G^t hold the cosines of pairs of samples, G^st is their product entry
    by entry, and a hat divides by the trace. The second term is a difference of Renyi entropies of
    order 2 without their logarithms; its student is r(e^s) where the widths differ, else e^s.

    The deviations of c_d divide by N - 1 and its mean by N, so that c_d is at most 1 - 1/N and the
    logarithm finite. Statistics are those of each process's batch.

    [0] R. Miles, A. Lopez-Rodriguez, K. Mikolajczyk, "Information Theoretic Representation
        Distillation", BMVC 2022, arXiv:2112.00459.
    [1] roymiles/ITRD@5d08c6b:distiller_zoo/IT.py. Ours: an entry that is constant in the batch has
        correlation 0 where [1] gives NaN.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        alpha: alpha. Default: CIFAR-100, networks of one family; 1.5 across families.
        correlation_weight: lambda_c. Default: CIFAR-100.
        mutual_weight: lambda_m. Default: CIFAR-100, networks of one family; 0.05 across families.
    """

    search_space = search_over(
        alpha=Range(1.0, 2.0),
        correlation_weight=Range(0.1, 20.0, log=True),
        mutual_weight=Range(0.1, 10.0, log=True),
    )

    def __init__(
        self, *, alpha: float = 1.01, correlation_weight: float = 2.0, mutual_weight: float = 1.0
    ) -> None:
        super().__init__()
        check_positive(self, alpha=alpha)
        check_not_negative(self, correlation_weight=correlation_weight, mutual_weight=mutual_weight)
        self.alpha = alpha
        self.correlation_weight = correlation_weight
        self.mutual_weight = mutual_weight
        self.embed: nn.Linear | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_embedding"), shapes.tensor("teacher_embedding")
        self.embed = nn.Linear(student[0], teacher[0])

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> dict[str, Tensor]:
        teacher = teacher_embedding.detach()
        embedded = built(self.embed, self)(student_embedding)
        widths_agree = student_embedding.shape[1] == teacher.shape[1]
        compared = student_embedding if widths_agree else embedded
        return dict(
            loss_correlation=self.correlation_weight * self._correlation(embedded, teacher),
            loss_mutual=self.mutual_weight * _mutual_information(compared, teacher),
        )

    def _correlation(self, student: Tensor, teacher: Tensor) -> Tensor:
        products = standardize_columns(student) * standardize_columns(teacher)
        return (1 - products.mean(0)).abs().pow(2 * self.alpha).sum().log2()


def _mutual_information(student: Tensor, teacher: Tensor) -> Tensor:
    of_student = pairwise_cosines(student)
    of_both = of_student * pairwise_cosines(teacher)
    return _purity(of_student) - _purity(of_both)


def _purity(matrix: Tensor) -> Tensor:
    return (matrix / torch.trace(matrix).clamp_min(1e-12)).square().sum()
