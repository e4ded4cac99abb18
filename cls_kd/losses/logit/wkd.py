"""WKD-L: Wasserstein distance between class distributions."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import (
    class_weights,
    non_target_indices,
    sinkhorn_distance,
    split_target,
)
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class WKDLogitLoss(DistillLoss):
    r"""Match the target class, and non-target classes by a Wasserstein distance between classes.

    Paper: Lv et al. 2024, arXiv:2412.08139

    .. math:: L = -t_y \log s_y + \gamma \, W_C(\hat s^{(T)}, \hat t^{(T)}), \quad
              C_{ij} = 1 - \exp(-\kappa (1 - \cos(w_i, w_j)))

    with s and t the softmaxes at temperature 1, y the label, and the hats the softmaxes at
    temperature T over the K-1 other classes. W is the cost of the transport that Sinkhorn's
    algorithm finds with the entropic regularization lambda, its gradient flows through all
    iterations; w are the rows of the teacher's classifier. Mean over the batch. Memory grows with
    N K^2. From ``decay_start`` on, gamma falls to 0 by a half cosine.

    [0] J. Lv, H. Yang, P. Li, "Wasserstein Distance Rivals Kullback-Leibler Divergence for
        Knowledge Distillation", NeurIPS 2024, arXiv:2412.08139.
    [1] JiamingLv/WKD@214cf88:mdistiller/distillers/WKD.py. Difference: the cost is that of its
        option ``fc``; the paper's figures are of the CKA between features of the classes, which two
        tools compute before the training.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.
        teacher_feature: (N, C, h, w), of which only C matters.

    Args:
        gamma: gamma. Default: CIFAR-100; on ImageNet 30 and 25.
        temperature: T. Default: ResNet32x4 to ResNet8x4; on ImageNet 2.
        sharpness: kappa. Default: ResNets on CIFAR-100.
        sinkhorn_lambda: lambda.
        sinkhorn_iterations: Number of Sinkhorn's iterations.
        decay_start: Fraction of training from which gamma decreases. Default: 150 of 240 epochs;
            on ImageNet 0.
    """

    search_space = search_over(temperature=TEMPERATURE, gamma=Range(10.0, 2000.0, log=True))

    def __init__(
        self,
        *,
        gamma: float = 600.0,
        temperature: float = 8.0,
        sharpness: float = 1.0,
        sinkhorn_lambda: float = 0.05,
        sinkhorn_iterations: int = 10,
        decay_start: float = 150 / 240,
    ) -> None:
        super().__init__()
        check_not_negative(self, gamma=gamma)
        check_positive(
            self, temperature=temperature, sharpness=sharpness, sinkhorn_lambda=sinkhorn_lambda
        )
        check_fraction(self, decay_start=decay_start)
        if not isinstance(sinkhorn_iterations, int) or sinkhorn_iterations < 1:
            raise UserError(
                f"{type(self).__name__}: sinkhorn_iterations must be a whole number of 1 or more, "
                f"not {sinkhorn_iterations!r}."
            )
        self.gamma = gamma
        self.temperature = temperature
        self.sharpness = sharpness
        self.sinkhorn_lambda = sinkhorn_lambda
        self.sinkhorn_iterations = sinkhorn_iterations
        self.decay_start = decay_start

    def forward(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor,
        labels: Tensor,
        teacher_feature: Tensor,
        teacher_classify: Callable[[Tensor], Tensor],
        epoch: int,
        max_epochs: int,
    ) -> dict[str, Tensor]:
        weights = class_weights(teacher_classify, teacher_feature.detach())
        directions = F.normalize(weights.detach(), dim=1)
        cost = -(-self.sharpness * (1 - directions @ directions.T)).expm1()
        target, distance = self.parts(student_logits, teacher_logits.detach(), labels, cost)
        gamma = self.gamma * self._decay(epoch, max_epochs)
        return dict(loss_target=target, loss_distance=gamma * distance)

    def parts(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, cost: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The target term and the Wasserstein distance for the costs (K, K) between classes."""
        log_student, _ = split_target(F.log_softmax(student_logits, dim=1), labels)
        teacher, _ = split_target(F.softmax(teacher_logits, dim=1), labels)
        _, student_rest = split_target(student_logits, labels)
        _, teacher_rest = split_target(teacher_logits, labels)
        others = non_target_indices(labels, student_logits.shape[1])
        distance = sinkhorn_distance(
            F.softmax(student_rest / self.temperature, dim=1),
            F.softmax(teacher_rest / self.temperature, dim=1),
            cost[others.unsqueeze(2), others.unsqueeze(1)],
            self.sinkhorn_lambda,
            self.sinkhorn_iterations,
        )
        return -(teacher * log_student).mean(), distance.mean()

    def _decay(self, epoch: int, max_epochs: int) -> float:
        """Factor of gamma: 1, then a half cosine to 0 at the end of the training."""
        start = self.decay_start * max_epochs
        if epoch < start or start >= max_epochs:
            return 1.0
        return (1 + math.cos(math.pi * (epoch - start) / (max_epochs - start))) / 2
