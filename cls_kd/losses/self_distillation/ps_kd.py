"""PS-KD: progressive self-distillation from past predictions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.banks import PredictionBank
from cls_kd.signals.shapes import SignalShapes


class PSKDLoss(DistillLoss):
    r"""Mix the network's predictions of the previous epoch into the labels, by a growing fraction.

    Paper: Kim et al. 2021, arXiv:2006.12000

    .. math:: L = -\sum_c \big((1 - \alpha_e) v_c + \alpha_e \, p^{e-1}_c\big) \log f_c, \quad
              \alpha_e = \alpha \, (e + 1) / E

    with f the softmax at temperature 1, v the label, p the last softmax that is known of the
    sample, e the number of finished epochs and E that of all; mean over the batch. Where nothing is
    known, in the first epoch, the target is the label. It replaces the cross-entropy.

    A bank keeps the last logits of every training sample in float32: 4 K bytes each, 20 MB for
    CIFAR-100 and 5.1 GB for ImageNet-1k, on the device and in every checkpoint.

    [0] K. Kim, B. Ji, D. Yoon, S. Hwang, "Self-Knowledge Distillation with Progressive Refinement
        of Targets", ICCV 2021, arXiv:2006.12000.
    [1] lgcnsai/PS-KD-Pytorch, which keeps probabilities. Differences, ours: an image that comes
        several times an epoch is given the prediction of the last time, and labels may be mixed.

    Shapes:
        student_logits, targets: (N, K).
        index: (N,).

    Args:
        alpha: alpha_T, the final weight of the past predictions. Default: CIFAR-100 and ImageNet.
    """

    search_space = search_over(alpha=Range(0.1, 1.0))

    def __init__(self, *, alpha: float = 0.8) -> None:
        super().__init__()
        check_fraction(self, alpha=alpha)
        self.alpha = alpha
        self.bank: PredictionBank | None = None

    def build(self, shapes: SignalShapes) -> None:
        if shapes.num_samples is None:
            raise UserError(
                "PSKDLoss remembers every training sample: it needs the length of the training "
                "set, num_samples of the distiller."
            )
        self.bank = PredictionBank(shapes.num_samples, shapes.num_classes)

    def forward(
        self, student_logits: Tensor, targets: Tensor, index: Tensor, epoch: int, max_epochs: int
    ) -> Tensor:
        bank: PredictionBank = built(self.bank, self)
        past, known = bank.recall(index)
        fraction = self.alpha * min((epoch + 1) / max_epochs, 1.0)
        mixed = torch.lerp(targets.to(past.dtype), F.softmax(past, dim=1), fraction)
        target = torch.where(known.unsqueeze(1), mixed, targets)
        if self.training:
            bank.remember(index, student_logits)
        return -(target.detach() * F.log_softmax(student_logits, dim=1)).sum(1).mean()
