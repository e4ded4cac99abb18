"""DKPP: dark knowledge with permuted predictions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import split_target
from cls_kd.losses.base import DistillLoss


class DKPPLoss(DistillLoss):
    r"""Match the teacher's predictions with the probabilities of all but its top-1 class permuted.

    Paper: Furlanello et al. 2018, arXiv:1805.04770

    .. math:: L = \mathrm{KL}(\pi_n(t_n) \,\|\, s_n)

    with s and t the softmaxes at temperature 1 and pi a permutation of the classes that leaves the
    teacher's first class where it is, drawn for each sample in each step; mean over the batch. It
    is the ablation of [0] that keeps the values of the other probabilities, but not their classes
    (dark knowledge with permuted predictions). Without labels, as BAN.

    [0] T. Furlanello, Z. Lipton, M. Tschannen, L. Itti, A. Anandkumar, "Born-Again Neural
        Networks", ICML 2018, arXiv:1805.04770.
    [1] No public code of the authors is known. Ours: KL where [0] has cross-entropy, which is the
        same gradient, and permutations that are drawn anew in each step.

    Shapes:
        student_logits, teacher_logits: (N, K).
    """

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        log_teacher = F.log_softmax(teacher_logits.detach(), dim=1)
        first = log_teacher.argmax(1)
        log_first, log_others = split_target(log_teacher, first)
        order = torch.rand_like(log_others).argsort(1)
        target = torch.cat([log_first, log_others.gather(1, order)], 1)
        log_student = torch.cat(split_target(F.log_softmax(student_logits, dim=1), first), 1)
        return F.kl_div(log_student, target, reduction="batchmean", log_target=True)
