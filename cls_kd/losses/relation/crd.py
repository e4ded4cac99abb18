"""CRD: contrastive representation distillation."""

from __future__ import annotations

import math
from typing import get_args

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_below_one, check_positive
from cls_kd.losses.search import IntegerRange, Range, search_over
from cls_kd.modules.banks import ContrastiveBank, Draws
from cls_kd.modules.connectors import UnitEmbedding
from cls_kd.signals.shapes import SignalShapes

_EPS = 1e-7


class CRDLoss(DistillLoss):
    r"""Contrast student and teacher embeddings by noise-contrastive estimation with memory banks.

    Paper: Tian et al. 2020, arXiv:1910.10699

    .. math:: L = \ell(s, M^t) + \ell(t, M^s), \quad
              \ell(v, M) = -\log \frac{x_0}{x_0 + c} - \sum_{k=1}^{m} \log \frac{m/n}{x_k + c},
              \quad x_k = e^{v \cdot M_k / \tau} / Z, \quad c = m/n + 10^{-7}

    mean over the batch; s and t are linear embeddings of unit length, both learned; M_0 is the
    sample's own row of the other network's bank, M_1 to M_m are the negatives'; n is the number of
    training samples, and both Z are fixed by the first batch. After each step a bank's rows
    move to the new embeddings by ``momentum`` and are normalized.

    [0] Y. Tian, D. Krishnan, P. Isola, "Contrastive Representation Distillation", ICLR 2020,
        arXiv:1910.10699.
    [1] HobbitLong/RepDistiller@b84f547:crd/criterion.py and crd/memory.py, for the formula.
        Differences, ours: negatives come from a hash of (step, sample, draw), uniform over all
        other samples; the bank learns labels as samples come, and a negative known to be of the
        sample's class is drawn anew, once, where [1] knows all labels beforehand. The bank
        is the same on all ranks and Z is that of the first global batch. [1] draws without
        replacement on CIFAR-100 (``draws='distinct'``, which from the second epoch on differs in
        the random numbers alone) and with replacement on ImageNet.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.
        labels, index: (N,).

    Args:
        dim: Length of the learned embeddings. Default: CIFAR-100 and ImageNet.
        negatives: m. Default: CIFAR-100 and ImageNet.
        temperature: tau. Default: CIFAR-100 and ImageNet.
        momentum: Fraction of the old row that the bank keeps. Default: CIFAR-100 and ImageNet.
        draws: ``'independent'`` or ``'distinct'`` negatives, see ``ContrastiveBank``. The second
            sorts ``num_samples`` numbers for each sample of a batch. Default: ImageNet.

    Weight:
        0.8 on CIFAR-100.
    """

    search_space = search_over(
        temperature=Range(0.02, 0.5, log=True), negatives=IntegerRange(64, 16384, log=True)
    )

    def __init__(
        self,
        *,
        dim: int = 128,
        negatives: int = 16384,
        temperature: float = 0.07,
        momentum: float = 0.5,
        draws: Draws = "independent",
    ) -> None:
        super().__init__()
        check_positive(self, dim=dim, negatives=negatives, temperature=temperature)
        check_below_one(self, momentum=momentum)
        if draws not in get_args(Draws):
            raise UserError(f"CRDLoss: draws is 'independent' or 'distinct', not {draws!r}.")
        self.dim = dim
        self.negatives = negatives
        self.temperature = temperature
        self.momentum = momentum
        self.draws = draws
        self.student_embed: UnitEmbedding | None = None
        self.teacher_embed: UnitEmbedding | None = None
        self.bank: ContrastiveBank | None = None

    def build(self, shapes: SignalShapes) -> None:
        if shapes.num_samples is None or shapes.num_samples < 2:
            raise UserError(
                "CRDLoss remembers every training sample: it needs the length of the training set "
                f"(at least 2), which is {shapes.num_samples}."
            )
        self.student_embed = UnitEmbedding(shapes.tensor("student_embedding")[0], self.dim)
        self.teacher_embed = UnitEmbedding(shapes.tensor("teacher_embedding")[0], self.dim)
        self.bank = ContrastiveBank(shapes.num_samples, self.dim, self.momentum, self.draws)

    def forward(
        self, student_embedding: Tensor, teacher_embedding: Tensor, labels: Tensor, index: Tensor
    ) -> Tensor:
        bank: ContrastiveBank = built(self.bank, self)
        student = built(self.student_embed, self)(student_embedding)
        teacher = built(self.teacher_embed, self)(teacher_embedding.detach())
        rows = bank.draw(index, labels, self.negatives)
        student_scores = bank.compare(student, bank.teacher, rows) / self.temperature
        teacher_scores = bank.compare(teacher, bank.student, rows) / self.temperature
        log_z = bank.log_constants(student_scores, teacher_scores)
        if self.training:
            bank.update(index, student, teacher)
        size = len(bank.labels)
        return _contrast(student_scores - log_z[0], size) + _contrast(
            teacher_scores - log_z[1], size
        )


def _contrast(log_x: Tensor, size: int) -> Tensor:
    """Noise-contrastive loss of log x (N, 1 + m), the sample's own first; mean over the batch."""
    negatives = log_x.shape[1] - 1
    ratio = negatives / size
    log_c = math.log(ratio + _EPS)
    positive = F.logsigmoid(log_x[:, 0] - log_c)
    negative = F.logsigmoid(log_c - log_x[:, 1:]).sum(1)
    constant = negatives * math.log1p(_EPS / ratio)  # c is not quite m/n
    return constant - (positive + negative).mean()
