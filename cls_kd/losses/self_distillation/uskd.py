"""USKD: self-distillation with customized soft labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import two_targets
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative
from cls_kd.losses.search import Range, search_over
from cls_kd.losses.self_distillation.tf_nkd import soft_target_loss
from cls_kd.signals.shapes import SignalShapes

_SMOOTHING = 0.1
_EPS = 1e-6


class USKDTerms(DistillLoss):
    """Loss terms of both forms of USKD, which differ in the source of the weak logits."""

    def __init__(self, *, alpha: float = 1.0, beta: float = 0.1, mu: float = 0.005) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta, mu=mu)
        self.alpha = alpha
        self.beta = beta
        self.mu = mu
        self.weak_head: nn.Linear | None = None

    def terms(
        self, student_logits: Tensor, middle: Tensor, labels: Tensor, targets: Tensor | None
    ) -> dict[str, Tensor]:
        """Weighted loss terms; ``middle`` is the input of the weak classifier, (N, D)."""
        if targets is None:
            targets = F.one_hot(labels, student_logits.shape[1]).to(student_logits.dtype)
        classes, values = two_targets(targets)
        log_student = F.log_softmax(student_logits, dim=1)
        log_weak = F.log_softmax(built(self.weak_head, self)(middle), dim=1)
        label = torch.zeros_like(log_weak).scatter(1, classes, values)

        log_target = log_student.gather(1, classes)
        target = soft_target_loss(log_target, log_target.detach().exp().square(), values)
        non_target = _non_target(student_logits, log_student, log_weak, label > 0)
        smoothed = (1 - _SMOOTHING) * label + _SMOOTHING / label.shape[1]
        weak = -(smoothed * log_weak).sum(dim=1).mean()
        return dict(
            loss_target=self.alpha * target,
            loss_non_target=self.beta * non_target,
            loss_weak=self.mu * weak,
        )


class USKDLoss(USKDTerms):
    r"""Match soft labels customized from the student's own target probability and class ranking.

    Paper: Yang et al. 2023, arXiv:2303.13005

    .. math::
        L = -\alpha \, \mathrm{mean}_n\, p_n \log s_{ny}
            - \beta \, \mathrm{mean}_n \sum_{i \neq y} z_{ni} \log \hat s_{ni}
            - \mu \, \mathrm{mean}_n \sum_i v'_{ni} \log w_{ni}

        p = \mathrm{sg}(s_y^2 + v_y - \mathrm{mean}_n\, s_y^2), \quad
        r_i = \frac{w_i}{1 - w_y + \epsilon} + \frac{s_i}{1 - s_y + \epsilon}, \quad
        z_i \propto 1 / \mathrm{rank}(r_i)

    with s the student's softmax, y the label, v the label's distribution, v' the same smoothed by
    0.1, and the hat a softmax over the classes other than y. w is the softmax of the weak logits:
    one linear layer on the pooled map of the second-to-last stage. Ranks run over all classes, the
    label's included; then the label's class is taken out, and z sums to 1. z is a constant.
    Under mixed labels both classes are treated as y: p for each of the two, and their sums in r.

    [0] Z. Yang, A. Zeng, Z. Li, T. Zhang, C. Yuan, Y. Li, "From Knowledge Distillation to
        Self-Knowledge Distillation: A Unified Approach with Normalized Loss and Customized Soft
        Labels", ICCV 2023, arXiv:2303.13005.
    [1] yzd-v/cls_KD@87a7197:mmcls/distillation/losses/uskd.py. Means are over the batch of one
        process, as there. Differences: r is made of probabilities, as in the formula (versions
        since July 2023 put logarithms into its second term). Ours: a class of probability 0 is
        never a target, nor in a mean; label smoothing is taken off ``targets`` first.

    Shapes:
        student_logits: (N, K).
        student_stages: tuple of (N, C, h, w), at least two.
        labels: (N,), hard.
        targets: (N, K); where it is not given, the labels are hard.

    Args:
        alpha: alpha, weight of the target term. Default: ImageNet; 0.1 on CIFAR-100.
        beta: beta, weight of the non-target term. Default: ImageNet and CIFAR-100.
        mu: mu, weight of the weak logits' own loss. Default: ImageNet; 0.1 on CIFAR-100.
    """

    search_space = search_over(
        alpha=Range(0.1, 10.0, log=True),
        beta=Range(0.01, 1.0, log=True),
        mu=Range(0.0005, 0.05, log=True),
    )

    def build(self, shapes: SignalShapes) -> None:
        stages = shapes.tensors("student_stages")
        if len(stages) < 2:
            raise UserError("USKDLoss reads the second-to-last stage: the student has one stage.")
        self.weak_head = nn.Linear(stages[-2][0], shapes.num_classes)

    def forward(
        self,
        student_logits: Tensor,
        student_stages: tuple[Tensor, ...],
        labels: Tensor,
        targets: Tensor | None = None,
    ) -> dict[str, Tensor]:
        middle = student_stages[-2].mean(dim=(2, 3))
        return self.terms(student_logits, middle, labels, targets)


def _non_target(
    student_logits: Tensor, log_student: Tensor, log_weak: Tensor, is_target: Tensor
) -> Tensor:
    """Cross-entropy of the other classes with Zipf's law over their ranks."""
    ranking = _among_others(log_weak, is_target) + _among_others(log_student, is_target)
    order = ranking.argsort(dim=1, descending=True, stable=True)
    ranks = torch.arange(1, ranking.shape[1] + 1, device=ranking.device, dtype=ranking.dtype)
    zipf = torch.zeros_like(ranking).scatter(1, order, ranks.reciprocal().expand_as(ranking))
    zipf = zipf.masked_fill(is_target, 0)
    zipf = zipf / zipf.sum(dim=1, keepdim=True)
    log_rest = F.log_softmax(student_logits.masked_fill(is_target, -torch.inf), dim=1)
    return -(zipf * log_rest.masked_fill(is_target, 0)).sum(dim=1).mean()


def _among_others(log_probabilities: Tensor, is_target: Tensor) -> Tensor:
    probabilities = log_probabilities.detach().exp()
    target = (probabilities * is_target).sum(dim=1, keepdim=True)
    return probabilities / (1 - target + _EPS)
