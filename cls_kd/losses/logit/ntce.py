"""NTCE-KD: magnitude-enhanced KL divergence on shrunk margins."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_finite, check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class NTCEKDLoss(DistillLoss):
    r"""Magnify non-target classes: average KD over several reductions of the target logit.

    Paper: Li et al. 2024, Sensors 24(11)

    .. math:: L = \mathrm{mean}_f \, T^2 \, \mathrm{KL}(
              \mathrm{softmax}((z^t - f m \, e_{\mathrm{argmax} \, z^t}) / T) \,\|\,
              \mathrm{softmax}((z^s - f m \, e_y) / T))

    with m the teacher's margin, its largest logit less its second largest, e a unit vector and y
    the label; summed over classes, mean over the batch. f = 0 is KD. This is the paper's MKL, on
    one view of the images; NTCE-KD is the same on a weak and a strong one.

    [0] C. Li, X. Teng, Y. Ding, L. Lan, "NTCE-KD: Non-Target-Class-Enhanced Knowledge
        Distillation", Sensors 2024.
    [1] lan-long/NTCE-KD@0842747:mdistiller/distillers/NTCE.py, its branch of one view; the branch
        of two views, of which results are published, does not run as shipped. Difference: the
        warm-up over 20 epochs is left to ``weight``. Where the teacher is wrong, the two networks
        are changed at different classes, as there.

    Shapes:
        student_logits, teacher_logits: (N, K), K at least 2.
        labels: (N,), hard.

    Args:
        factors: The values of f. Default: ResNet32x4 pairs on CIFAR-100; others add -0.5 and -1.
        temperature: T. Default: CIFAR-100; on ImageNet 1.

    Weight:
        8 for most pairs on CIFAR-100; 2 for ResNet56 to ResNet20 and on ImageNet.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(
        self,
        *,
        factors: Sequence[float] = (2.0, 1.5, 1.0, 0.5, 0.0),
        temperature: float = 4.0,
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_finite(self, "factors", factors)
        self.factors = tuple(factors)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        teacher_logits = teacher_logits.detach()
        (largest, second), classes = (part.T for part in teacher_logits.topk(2, dim=1))
        margin = (largest - second).unsqueeze(1)
        zeros = torch.zeros_like(teacher_logits)
        at_best = zeros.scatter(1, classes[0].unsqueeze(1), margin)
        at_label = zeros.scatter(1, labels.unsqueeze(1), margin)
        losses = []
        for factor in self.factors:
            student, teacher = student_logits - factor * at_label, teacher_logits - factor * at_best
            losses.append(softened_kl(student, teacher, self.temperature))
        return torch.stack(losses).mean()
