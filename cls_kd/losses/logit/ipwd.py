"""IPWD: inverse probability weighting distillation."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.modules.inverse_propensity import Clip, Direction, IPWDWeight, PropensityHead
from cls_kd.signals.shapes import SignalShapes


class IPWDLoss(DistillLoss):
    r"""Weight each sample's KD loss by its inverse propensity, estimated with a second classifier.

    Paper: Niu et al. 2022, arXiv:2210.12787

    .. math:: L = \beta \, L_\mathrm{cls} + \alpha \, \mathrm{mean}_n \, w_n \, T^2 \,
                  \mathrm{KL}(\mathrm{softmax}(z^t_n / T) \,\|\, \mathrm{softmax}(z^s_n / T))

    A second linear classifier on the student's embedding learns the labels alone:
    L_cls is its cross-entropy. The weight w compares it with the student's own classifier, which
    is distilled, see :class:`~cls_kd.modules.IPWDWeight`; no gradient flows through w. The second
    classifier ends with the training; what is validated and deployed is the student's own.

    [0] Y. Niu, L. Chen, C. Zhou, H. Zhang, "Respecting Transfer Gap in Knowledge Distillation",
        NeurIPS 2022, arXiv:2210.12787.
    [1] No public code is known. Ours, where the paper does not state its
        choice: the direction of the ratio is an option; logits are standardized by their mean and
        population deviation; w is constant, neither clipped nor normalized; L_cls also trains the
        embedding; the distilled classifier is the one that is evaluated, and gets hard labels by
        the config's ``ce`` or not at all.

    Shapes:
        student_logits, teacher_logits: (N, K).
        student_embedding: (N, D).
        targets: (N, K), which are the labels where labels are not mixed.

    Args:
        alpha: alpha. Default, ours: KD's usual 0.9 of CIFAR-100.
        beta: beta, 1 in the paper's formula. Default, ours: 0.1, which is what KD gives to labels.
        temperature: T. Default: the usual 4 of CIFAR-100.
        direction: 'printed' or 'inverse', which H is the numerator in w.
        clip: Smallest and largest w.
        normalize: Divide w by its mean over the global batch.
        start: Fraction of training before which every w is 1: plain KD.
    """

    search_space = search_over(
        alpha=Range(0.1, 10.0, log=True), beta=Range(0.01, 1.0, log=True), temperature=TEMPERATURE
    )

    def __init__(
        self,
        *,
        alpha: float = 0.9,
        beta: float = 0.1,
        temperature: float = 4.0,
        direction: Direction = "printed",
        clip: Clip = None,
        normalize: bool = False,
        start: float = 0.0,
    ) -> None:
        super().__init__()
        check_positive(self, beta=beta, temperature=temperature)
        check_not_negative(self, alpha=alpha)
        check_fraction(self, start=start)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.start = start
        self.weigh = IPWDWeight(direction=direction, clip=clip, normalize=normalize)
        self.head: PropensityHead | None = None

    def build(self, shapes: SignalShapes) -> None:
        width = shapes.tensor("student_embedding")[0]
        self.head = PropensityHead(width, shapes.num_classes, self.weigh)

    def forward(
        self,
        student_logits: Tensor,
        student_embedding: Tensor,
        teacher_logits: Tensor,
        targets: Tensor,
        progress: float,
    ) -> dict[str, Tensor]:
        head = built(self.head, self)
        loss_cls, weights = head(student_embedding, student_logits, targets)
        losses = softened_kl_each(student_logits, teacher_logits.detach(), self.temperature)
        if progress >= self.start:
            losses = weights * losses
        return dict(loss_cls=self.beta * loss_cls, loss_kd=self.alpha * losses.mean())
