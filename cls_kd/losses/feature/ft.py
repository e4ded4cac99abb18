"""FT: factor transfer, a paraphraser of the teacher and a translator of the student."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import attention_map, match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.factors import Paraphraser, Translator
from cls_kd.signals.shapes import SignalShapes


class FTLoss(DistillLoss):
    r"""Match factors of the last feature map, which an autoencoder extracts from the teacher's.

    Paper: Kim et al. 2018, arXiv:1802.04977

    .. math:: L = \mathrm{mean}\,(D(E(f^t)) - f^t)^2
                + \beta \, [\tau \ge \tau_0] \, \mathrm{mean}\, | a(T(f^s)) - a(E(f^t)) |^{p_2},
                \quad a(u) = \frac{\mathrm{vec}(\mathrm{mean}_c u_c^{p_1})}
                                  {\| \mathrm{vec}(\mathrm{mean}_c u_c^{p_1}) \|_2}

    with the paraphraser E, its decoder D, the translator T and the training progress tau from 0 to
    1. The second term has no gradient to E. The larger of two factors is average-pooled to the
    smaller.

    In the paper E and D are trained first, without the student, and then kept. Ours: they are
    learned in the same run, and go on learning after tau_0, from where on the student follows.
    Until then the student learns from the other losses.

    [0] J. Kim, S. Park, N. Kwak, "Paraphrasing Complex Network: Network Compression via Factor
        Transfer", NeurIPS 2018, arXiv:1802.04977.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/FT.py: values and gradients of the second term
        agree on given factors; layers as in its models/util.py. Differences: the phases (see
        above), which in [1] are 30 epochs with a learning rate of their own, and 240. As in [1]
        factors are compared by their attention maps, where the paper normalizes them whole.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).
        progress: float from 0 to 1.

    Args:
        beta: beta, weight of the second term. Default: CIFAR-100.
        rate: Number of factors, as a fraction of the teacher's channels. Default: CIFAR-100.
        p1: p_1. Default: CIFAR-100.
        p2: p_2. Default: CIFAR-100.
        start: tau_0. Default: 30 of 240 epochs.
    """

    search_space = search_over(rate=Range(0.25, 1.0), beta=Range(10.0, 1000.0, log=True))

    def __init__(
        self,
        *,
        beta: float = 200.0,
        rate: float = 0.5,
        p1: int = 2,
        p2: int = 1,
        start: float = 30 / 240,
    ) -> None:
        super().__init__()
        check_not_negative(self, beta=beta)
        check_positive(self, rate=rate, p1=p1, p2=p2)
        check_fraction(self, rate=rate, start=start)
        self.beta = beta
        self.rate = rate
        self.p1 = p1
        self.p2 = p2
        self.start = start
        self.paraphraser: Paraphraser | None = None
        self.translator: Translator | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature")[0], shapes.tensor("teacher_feature")[0]
        factors = max(1, int(self.rate * teacher))
        self.paraphraser = Paraphraser(teacher, factors)
        self.translator = Translator(student, factors)

    def forward(
        self, student_feature: Tensor, teacher_feature: Tensor, progress: float
    ) -> dict[str, Tensor]:
        teacher_feature = teacher_feature.detach()
        target, reconstructed = built(self.paraphraser, self)(teacher_feature)
        factors = built(self.translator, self)(student_feature)
        beta = self.beta if progress >= self.start else 0.0
        return dict(
            loss_paraphraser=F.mse_loss(reconstructed, teacher_feature),
            loss_factor=beta * factor_error(factors, target.detach(), self.p1, self.p2),
        )


def factor_error(student: Tensor, teacher: Tensor, p1: int, p2: int) -> Tensor:
    """Mean of ``abs(difference) ** p2`` between the attention maps of factors (N, M, h, w)."""
    student, teacher = match_size(student, teacher)
    difference = attention_map(student, p1) - attention_map(teacher, p1)
    return difference.abs().pow(p2).mean()
