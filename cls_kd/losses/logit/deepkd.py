"""DeepKD: target-class and non-target-class terms for an optimizer that keeps them apart."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import decouple, softened_kl, subset_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class DeepKDTargetLoss(DistillLoss):
    r"""Match the teacher's confidence in the target class, as a gradient group of its own.

    Paper: Huang et al. 2025, arXiv:2505.15133

    .. math:: L = T^2 \, \mathrm{KL}(b^t \,\|\, b^s)

    with b the softmax at temperature T folded to (label, all others); mean over the batch. It is
    DKD's first term, of the group ``'target'``; `cls_kd.optimizers.DeepKD` gives it a momentum of
    its own.

    [0] H. Huang, J. Song, Y. Zhang, P. Ren, "DeepKD: A Deeply Decoupled and Denoised Knowledge
        Distillation Trainer", 2025, arXiv:2505.15133.
    [1] haiduo/DeepKD@afb5964:mdistiller/distillers/_base.py. Difference: the warm-up over 20 epochs
        is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperature: T. Default: CIFAR-100; on ImageNet 1.
    """

    search_space = search_over(temperature=TEMPERATURE)

    group = "target"

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        student, _ = decouple(student_logits / self.temperature, labels)
        teacher, _ = decouple(teacher_logits.detach() / self.temperature, labels)
        return self.temperature**2 * softened_kl(student, teacher)


class DeepKDNonTargetLoss(DistillLoss):
    r"""Match the teacher's top non-target classes, as a gradient group of its own.

    Paper: Huang et al. 2025, arXiv:2505.15133

    .. math:: L = T^2 \, \mathrm{KL}(q^t \,\|\, q^s)

    with q the softmax at temperature T over the teacher's k most likely classes without the label;
    mean over the batch. With all classes it is DKD's second term. Its group is ``'non_target'``;
    `cls_kd.optimizers.DeepKD` gives it a momentum of its own.

    [0] H. Huang, J. Song, Y. Zhang, P. Ren, "DeepKD: A Deeply Decoupled and Denoised Knowledge
        Distillation Trainer", 2025, arXiv:2505.15133.
    [1] haiduo/DeepKD@afb5964:mdistiller/distillers/_base.py. The label counts among the k classes,
        as there. k is constant there too, and all classes on CIFAR-100: the mask that grows during
        the training is not in the code. Difference: the warm-up over 20 epochs is left to
        ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperature: T. Default: CIFAR-100; on ImageNet 1.
        top: k; of fewer classes, all. Default: all classes.
        scaled: Multiply by the teacher's mean probability of all non-target classes at T, as [1]
            does in the place of KD. (In KD each sample has its own.)

    Weight:
        DKD's beta.
    """

    search_space = search_over(temperature=TEMPERATURE)

    group = "non_target"

    def __init__(
        self, *, temperature: float = 4.0, top: int | None = None, scaled: bool = False
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        if top is not None and (not isinstance(top, int) or top < 2):
            raise UserError(
                f"{type(self).__name__}: top must be a whole number above 1 or None, not {top!r}."
            )
        self.temperature = temperature
        self.top = top
        self.scaled = scaled

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        teacher_logits = teacher_logits.detach()
        target = F.one_hot(labels, teacher_logits.shape[1]).bool()
        subset = self._top_classes(teacher_logits) & ~target
        losses = subset_kl_each(student_logits, teacher_logits, subset, self.temperature)
        if not self.scaled:
            return losses.mean()
        teacher = F.softmax(teacher_logits / self.temperature, dim=1)
        return (teacher * ~target).sum(1).mean() * losses.mean()

    def _top_classes(self, logits: Tensor) -> Tensor:
        """Mask of the k most likely classes, (N, K) bool."""
        count = min(self.top or logits.shape[1], logits.shape[1])
        places = logits.topk(count, dim=1).indices
        return logits.new_zeros(logits.shape).scatter(1, places, 1.0).bool()
