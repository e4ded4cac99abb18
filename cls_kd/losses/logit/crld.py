"""CRLD: cross-view consistency of logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class CRLDLoss(DistillLoss):
    r"""Match confident predictions of the teacher within and across a weak and a strong view.

    Paper: Zhang et al. 2024, arXiv:2412.16493

    .. math:: L = \alpha \, \mathrm{mean}_n \, [c_w \ge \tau_w] (D_{ww} + D_{ss})
              + \beta \, \mathrm{mean}_n \, [c_s \ge \tau_s] (D_{sw} + D_{ws}), \quad
              D_{ab} = T^2 \, \mathrm{KL}(\mathrm{softmax}(z^t_b / T) \,\|\,
              \mathrm{softmax}(z^s_a / T))

    with w the weak view, the image itself, and s the strong one; c the teacher's largest
    probability at temperature 1. KL is summed over classes; means over all samples of the batch.
    The training data need ``StrongViews`` around them; configs/methods/crld.py brings it along.

    [0] W. Zhang, D. Liu, W. Cai, C. Ma, "Cross-View Consistency Regularisation for Knowledge
        Distillation", ACM Multimedia 2024, arXiv:2412.16493.
    [1] The authors' code is not available; haiduo/DeepKD@afb5964:mdistiller/distillers/CRLD.py, a
        descendant, in which the thresholds are of views and not of terms, as here. No difference.

    Shapes:
        view_logits, teacher_view_logits: (V, N, K), the weak view first, the strong one second.

    Args:
        within_weight: alpha. Default: ResNet32x4 to ResNet8x4 on CIFAR-100.
        cross_weight: beta. Default: CIFAR-100.
        weak_threshold: tau_w. Default: CIFAR-100.
        strong_threshold: tau_s. Default: CIFAR-100.
        temperature: T. Default: CIFAR-100; on ImageNet 1.
    """

    search_space = search_over(
        within_weight=Range(0.1, 10.0, log=True),
        cross_weight=Range(0.1, 10.0, log=True),
        weak_threshold=Range(0.0, 0.99),
        strong_threshold=Range(0.0, 0.99),
        temperature=TEMPERATURE,
    )

    def __init__(
        self,
        *,
        within_weight: float = 2.0,
        cross_weight: float = 0.5,
        weak_threshold: float = 0.9,
        strong_threshold: float = 0.2,
        temperature: float = 4.0,
    ) -> None:
        super().__init__()
        check_not_negative(self, within_weight=within_weight, cross_weight=cross_weight)
        check_fraction(self, weak_threshold=weak_threshold, strong_threshold=strong_threshold)
        check_positive(self, temperature=temperature)
        self.within_weight = within_weight
        self.cross_weight = cross_weight
        self.weak_threshold = weak_threshold
        self.strong_threshold = strong_threshold
        self.temperature = temperature

    def forward(self, view_logits: Tensor, teacher_view_logits: Tensor) -> dict[str, Tensor]:
        weak, strong = view_logits[0], view_logits[1]
        teacher_weak, teacher_strong = teacher_view_logits.detach()[:2]
        within = self._kl(weak, teacher_weak) + self._kl(strong, teacher_strong)
        across = self._kl(strong, teacher_weak) + self._kl(weak, teacher_strong)
        within = within * _is_confident(teacher_weak, self.weak_threshold)
        across = across * _is_confident(teacher_strong, self.strong_threshold)
        return dict(
            loss_within=self.within_weight * within.mean(),
            loss_cross=self.cross_weight * across.mean(),
        )

    def _kl(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return softened_kl_each(student_logits, teacher_logits, self.temperature)


def _is_confident(logits: Tensor, threshold: float) -> Tensor:
    return F.softmax(logits, dim=1).amax(1) >= threshold
