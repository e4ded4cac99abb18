"""tf-NKD: NKD without a teacher."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import two_targets
from cls_kd.losses.base import DistillLoss


class TfNKDLoss(DistillLoss):
    r"""Weight the label's cross-entropy by the student's batch-centered target probability.

    Paper: Yang et al. 2022, arXiv:2208.10139

    .. math:: L = -\mathrm{mean}_n \sum_k w_{nk} \log s_{nk}, \quad
              w_{nk} = \mathrm{sg}(s_{nk} + v_{nk} - \mathrm{mean}_m\, s_{mk})

    with s the softmax at temperature 1 of the label's class (k = 1) and, under mixed labels, of the
    second class (k = 2); v is the class's probability in the label, and w is 0 where v is 0. The
    weights of a batch of hard labels have mean 1, so the loss is about the cross-entropy once more:
    compare it with a cross-entropy of weight 2.

    [0] Z. Yang, Z. Li, Y. Gong, T. Zhang, S. Lao, C. Yuan, Y. Li, "Rethinking Knowledge
        Distillation via Cross-Entropy", arXiv:2208.10139.
    [1] yzd-v/cls_KD@de48db4:mmcls/distillation/distillers/classification_distiller.py. Means are
        over the batch of one process, as there. Differences, ours: label smoothing is taken off
        ``targets`` before the two classes are looked for; a sample with one class counts in
        the mean of the first classes only ([1] takes any class of probability 0 for its second).

    Shapes:
        student_logits: (N, K).
        labels: (N,), hard.
        targets: (N, K); where it is not given, the labels are hard.
    """

    def forward(
        self, student_logits: Tensor, labels: Tensor, targets: Tensor | None = None
    ) -> Tensor:
        if targets is None:
            targets = F.one_hot(labels, student_logits.shape[1]).to(student_logits.dtype)
        classes, values = two_targets(targets)
        log_student = F.log_softmax(student_logits, dim=1).gather(1, classes)
        return soft_target_loss(log_student, log_student.detach().exp(), values)


def soft_target_loss(log_student: Tensor, confidence: Tensor, values: Tensor) -> Tensor:
    """Cross-entropy with label values plus the batch-centered confidence of the student.

    Args:
        log_student: Log-probabilities of the two classes of each label, (N, 2).
        confidence: The student's confidence in them, a constant, (N, 2).
        values: Their probabilities in the label, (N, 2).
    """
    is_target = values > 0
    mean = (confidence * is_target).sum(dim=0) / is_target.sum(dim=0).clamp_min(1)
    weights = (confidence + values - mean) * is_target
    return -(weights * log_student).sum(dim=1).mean()
