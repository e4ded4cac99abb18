"""Zipf's label smoothing: soft labels by the rank of classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError, did_you_mean
from cls_kd.functional import split_target
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive

RANKINGS = ("votes", "logits")


class ZipfLoss(DistillLoss):
    r"""Match the non-target classes to Zipf's law over their ranks in the network's own prediction.

    Paper: Liang et al. 2022, arXiv:2207.12980

    .. math:: L = \mathrm{KL}(z \,\|\, f), \quad
              z_c = \frac{r_c^{-\alpha}}{\sum_{k \ne y} r_k^{-\alpha}}

    mean over the batch; f is the softmax over the classes other than the label y, at temperature 1,
    and r the rank of a class among all, the label included; classes that tie share the best rank.
    Classes are ranked by votes: the classifier is applied at every position of the last map, and
    each position votes for its largest class. The target z carries no gradient.

    [0] J. Liang, L. Li, Z. Bing, B. Zhao, Y. Tang, B. Lin, H. Fan, "Efficient One Pass
        Self-distillation with Zipf's Label Smoothing", ECCV 2022, arXiv:2207.12980.
    [1] megvii-research/zipfls@108e27a:pytorch_zipfls/losses.py. Differences: ranks are computed on
        the device; the votes are those of the last map as it is, where [1] may enlarge it
        bilinearly and add heads on earlier stages.

    Shapes:
        student_logits: (N, K).
        labels: (N,).
        student_feature: (N, C, h, w).

    Args:
        power: alpha. Default: all data sets of [1].
        ranking: ``'votes'`` or ``'logits'``, by which the prediction itself ranks the classes.
        only_correct: Whether samples that are classified wrongly are left out of the mean.

    Weight:
        0.1 on CIFAR-100, 1 on TinyImageNet.
    """

    def __init__(
        self, *, power: float = 1.0, ranking: str = "votes", only_correct: bool = False
    ) -> None:
        super().__init__()
        check_positive(self, power=power)
        if ranking not in RANKINGS:
            hint = did_you_mean(str(ranking), RANKINGS)
            raise UserError(f"ZipfLoss has no ranking {ranking!r}.{hint}")
        self.power = power
        self.ranking = ranking
        self.only_correct = only_correct

    def forward(
        self,
        student_logits: Tensor,
        labels: Tensor,
        student_feature: Tensor,
        student_classify: Callable[[Tensor], Tensor],
    ) -> Tensor:
        with torch.no_grad():
            scores = student_logits
            if self.ranking == "votes":
                scores = _votes(student_feature, student_classify)
            _, ranks = split_target(_ranks(scores), labels)
            target = F.normalize(ranks.to(student_logits.dtype).pow(-self.power), p=1, dim=1)
        _, others = split_target(student_logits, labels)
        each = F.kl_div(F.log_softmax(others, dim=1), target, reduction="none").sum(1)
        if not self.only_correct:
            return each.mean()
        correct = student_logits.argmax(1) == labels
        return (each * correct).sum() / correct.sum().clamp_min(1)


def _votes(feature: Tensor, classify: Callable[[Tensor], Tensor]) -> Tensor:
    """Number of positions whose largest class is each one, (N, K)."""
    positions = feature.flatten(2).transpose(1, 2)  # (N, hw, C)
    logits = classify(positions.flatten(0, 1)[..., None, None])
    classes = logits.argmax(1).view(positions.shape[:2])
    votes = torch.zeros(len(feature), logits.shape[1], device=logits.device)
    return votes.scatter_add_(1, classes, torch.ones_like(classes, dtype=votes.dtype))


def _ranks(scores: Tensor) -> Tensor:
    """1 plus the number of classes with a larger score, (N, K)."""
    losses = -scores
    return 1 + torch.searchsorted(losses.sort(dim=1).values, losses)
