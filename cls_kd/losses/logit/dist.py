"""DIST: inter-class and intra-class correlation of predictions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import pearson
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class DISTLoss(DistillLoss):
    r"""Maximize Pearson's correlation with the teacher's predictions, per sample and per class.

    Paper: Huang et al. 2022, arXiv:2205.10536

    .. math:: L = \beta T^2 (1 - \bar\rho(p^s_{n:}, p^t_{n:}))
                + \gamma T^2 (1 - \bar\rho(p^s_{:k}, p^t_{:k}))

    with p the softmaxes at temperature T and the bars the means of Pearson's correlation over
    samples (first term) and over classes (second term).

    [0] T. Huang, S. You, F. Wang, C. Qian, C. Xu, "Knowledge Distillation from A Stronger
        Teacher", NeurIPS 2022, arXiv:2205.10536.
    [1] hunto/image_classification_sota@6f7a70a:lib/models/losses/dist_kd.py. No difference: 1e-8
        is added to the product of the norms.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        beta: beta, weight of the relation between classes. Default: ImageNet and CIFAR-100.
        gamma: gamma, weight of the relation between samples. Default: ImageNet and CIFAR-100.
        temperature: T. Default: ImageNet; on CIFAR-100 4.

    Weight:
        2 in the authors' recipes.
    """

    search_space = search_over(
        beta=Range(0.1, 10.0, log=True), gamma=Range(0.1, 10.0, log=True), temperature=TEMPERATURE
    )

    def __init__(self, *, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__()
        check_not_negative(self, beta=beta, gamma=gamma)
        check_positive(self, temperature=temperature)
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        student = F.softmax(student_logits / self.temperature, dim=1)
        teacher = F.softmax(teacher_logits.detach() / self.temperature, dim=1)
        between_classes = 1 - pearson(student, teacher, dim=1).mean()
        between_samples = 1 - pearson(student, teacher, dim=0).mean()
        return self.temperature**2 * (self.beta * between_classes + self.gamma * between_samples)
