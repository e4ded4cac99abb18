"""TSD: top score difference, the gap between the top-1 and the next probabilities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.signals.shapes import SignalShapes


class TSDLoss(DistillLoss):
    r"""Penalize the gap between the top-1 probability and the mean of the next k - 1.

    Paper: Yang et al. 2019, arXiv:1805.05551

    .. math:: L = f_{(1)} - \frac{1}{k - 1} \sum_{j=2}^{k} f_{(j)}

    with f the softmax at temperature 1 and (j) the class of its j-th largest score, whatever the
    label; mean over the batch. In [0] it makes the first of several generations, the patriarch,
    tolerant: cross-entropy of weight eta, this of weight 1 - eta, eta 0.6 or 0.7. The later
    generations learn from the one before and do not use it.

    [0] C. Yang, L. Xie, S. Qiao, A. Yuille, "Training Deep Neural Networks in Generations: A More
        Tolerant Teacher Educates Better Students", AAAI 2019, arXiv:1805.05551.
    [1] No public code. The ranks of the scores are constants; that is ours.

    Shapes:
        student_logits: (N, K).

    Args:
        k: Number of top scores, the largest included: 2 to K. Default: CIFAR-100
            and ImageNet.

    Weight:
        1 - eta.
    """

    stateless = True

    def __init__(self, *, k: int = 5) -> None:
        super().__init__()
        if not isinstance(k, int) or k < 2:
            raise UserError(f"TSDLoss: k must be a whole number of 2 or more, not {k!r}.")
        self.k = k

    def build(self, shapes: SignalShapes) -> None:
        if self.k > shapes.num_classes:
            raise UserError(f"TSDLoss: k={self.k}, but there are {shapes.num_classes} classes.")

    def forward(self, student_logits: Tensor) -> Tensor:
        scores = F.softmax(student_logits, dim=1).topk(self.k, dim=1).values  # (N, k)
        return (scores[:, 0] - scores[:, 1:].mean(1)).mean()
