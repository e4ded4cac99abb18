"""SD-Dropout: self-distillation between two draws of dropout."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_below_one, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class SDDropoutLoss(DistillLoss):
    r"""Match the predictions of two dropout samples of one embedding, in both directions.

    Paper: Lee et al. 2022, arXiv:2208.05642

    .. math:: L = T^2 \left( \mathrm{KL}(p_2 \,\|\, p_1) + \mathrm{KL}(p_1 \,\|\, p_2) \right)

    with p the softmax at temperature T of the classifier on a draw of dropout of the embedding; the
    backbone runs once. Mean over the batch.

    [0] H. Lee, Y. Park, H. Seo, M. Kang, "Self-Knowledge Distillation via Dropout", 2022,
        arXiv:2208.05642.
    [1] The authors' models/method.py, of which no repository is known to us, was read and not run.
        The defaults are ours.

    Shapes:
        student_embedding: (N, D).

    Args:
        rate: Probability with which an entry of the embedding is dropped. Default: ours.
        temperature: T. Default: ours.
        detach: Whether targets are constants. Default: [1], where the gradient has both ways.
    """

    search_space = search_over(temperature=TEMPERATURE, rate=Range(0.1, 0.8))

    def __init__(
        self, *, rate: float = 0.5, temperature: float = 3.0, detach: bool = False
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature, rate=rate)
        check_below_one(self, rate=rate)
        self.rate, self.temperature, self.detach = rate, temperature, detach

    def forward(
        self, student_embedding: Tensor, student_classify: Callable[[Tensor], Tensor]
    ) -> Tensor:
        first, second = (
            # A map of one position: pooling leaves it as it is.
            student_classify(F.dropout(student_embedding, self.rate)[..., None, None])
            for _ in range(2)
        )
        targets = (first.detach(), second.detach()) if self.detach else (first, second)
        of_first = softened_kl(first, targets[1], self.temperature)
        return of_first + softened_kl(second, targets[0], self.temperature)
