"""One-stage IPWD: inverse probability weights on PS-KD's past predictions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction, check_positive
from cls_kd.modules.banks import PredictionBank
from cls_kd.modules.inverse_propensity import Clip, Direction, IPWDWeight, PropensityHead
from cls_kd.signals.shapes import SignalShapes


class IPWDSelfLoss(DistillLoss):
    r"""Weight PS-KD's loss on past predictions by the inverse propensity of each sample.

    Paper: Niu et al. 2022, arXiv:2210.12787

    .. math:: L = \beta \, L_\mathrm{cls} + \mathrm{mean}_n \big((1 - \alpha_e) H(v_n, f_n)
                  + \alpha_e \, w_n \, H(p_n^{e-1}, f_n)\big), \quad \alpha_e = \alpha (e + 1) / E

    with H the cross-entropy, v the label, f the softmax, p the last softmax that is known of the
    sample and :math:`\alpha_e = 0` where none is: with w = 1 and without L_cls it is
    :class:`~cls_kd.losses.PSKDLoss`, which it replaces. L_cls and w are those of
    :class:`~cls_kd.losses.IPWDLoss`.

    A bank keeps the last logits of every training sample, as PS-KD's: 4 K bytes each.

    [0] Y. Niu, L. Chen, C. Zhou, H. Zhang, "Respecting Transfer Gap in Knowledge Distillation",
        NeurIPS 2022, arXiv:2210.12787.
    [1] No public code is known. Ours: w weights the past predictions, which are the machine's
        domain here, and not the labels; it begins at half of the training, as the paper says
        "later epochs" and we do not know which; the rest as in IPWDLoss.

    Shapes:
        student_logits, targets: (N, K).
        student_embedding: (N, D).
        index: (N,).

    Args:
        alpha: alpha, the final weight of the past predictions. Default: PS-KD's on CIFAR-100 and
            ImageNet.
        beta: beta. Default, ours: 0.1, as in IPWDLoss.
        direction: 'printed' or 'inverse', which H is the numerator in w.
        clip: Smallest and largest w.
        normalize: Divide w by its mean over the global batch.
        start: Fraction of training before which every w is 1: PS-KD. Default: ours.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.8,
        beta: float = 0.1,
        direction: Direction = "printed",
        clip: Clip = None,
        normalize: bool = False,
        start: float = 0.5,
    ) -> None:
        super().__init__()
        check_positive(self, beta=beta)
        check_fraction(self, alpha=alpha, start=start)
        self.alpha = alpha
        self.beta = beta
        self.start = start
        self.weigh = IPWDWeight(direction=direction, clip=clip, normalize=normalize)
        self.head: PropensityHead | None = None
        self.bank: PredictionBank | None = None

    def build(self, shapes: SignalShapes) -> None:
        if shapes.num_samples is None:
            raise UserError(
                "IPWDSelfLoss remembers every training sample: it needs the length of the training "
                "set, num_samples of the distiller."
            )
        width = shapes.tensor("student_embedding")[0]
        self.head = PropensityHead(width, shapes.num_classes, self.weigh)
        self.bank = PredictionBank(shapes.num_samples, shapes.num_classes)

    def forward(
        self,
        student_logits: Tensor,
        student_embedding: Tensor,
        targets: Tensor,
        index: Tensor,
        epoch: int,
        max_epochs: int,
        progress: float,
    ) -> dict[str, Tensor]:
        bank: PredictionBank = built(self.bank, self)
        loss_cls, weights = built(self.head, self)(student_embedding, student_logits, targets)
        past, known = bank.recall(index)
        fraction = self.alpha * min((epoch + 1) / max_epochs, 1.0) * known  # (N,)
        past_weight = fraction * weights if progress >= self.start else fraction
        past_target = past_weight.unsqueeze(1) * F.softmax(past, dim=1)
        target = (1 - fraction).unsqueeze(1) * targets + past_target
        if self.training:
            bank.remember(index, student_logits)
        losses = -(target.detach() * F.log_softmax(student_logits, dim=1)).sum(1)
        return dict(loss_cls=self.beta * loss_cls, loss_past=losses.mean())
