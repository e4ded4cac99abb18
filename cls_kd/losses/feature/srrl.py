"""SRRL: feature distillation through the teacher's classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import ConvConnector
from cls_kd.signals.shapes import SignalShapes


class SRRLLoss(DistillLoss):
    r"""Match the teacher's pooled features, and its logits through its own frozen classifier.

    Paper: Yang et al. 2021, ICLR (OpenReview ZzwDy_wiWv)

    .. math:: L = \alpha \, \mathrm{mean}\,(g(r(f^s)) - g(f^t))^2
                + \beta \, \mathrm{mean}\,(W^t(r(f^s)) - z^t)^2

    with r a 1x1 convolution, batch normalization and ReLU to the teacher's width, g global average
    pooling and W^t the teacher's pooling and classifier; means over all elements. The convolution
    starts normal with deviation sqrt(2 / width of the teacher).

    [0] J. Yang, B. Martinez, A. Bulat, G. Tzimiropoulos, "Knowledge Distillation via Softmax
        Regression Representation Learning", ICLR 2021.
    [1] jingyang2017/KD_SRRL@d2e802f:distiller_zoo/AIN.py, its formula, settings and
        initialization; no value was compared. No known difference.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).
        teacher_logits: (N, K).

    Args:
        alpha: Weight of the feature term. Default: ImageNet; on CIFAR-100 from a small grid.
        beta: Weight of the logit term. Default: ImageNet; 5 is one usual choice on CIFAR-100.
    """

    search_space = search_over(alpha=Range(0.1, 10.0, log=True), beta=Range(0.1, 10.0, log=True))

    def __init__(self, *, alpha: float = 1.0, beta: float = 1.0) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta)
        self.alpha = alpha
        self.beta = beta
        self.connector: ConvConnector | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        self.connector = ConvConnector(student[0], teacher[0])
        for weight in self.connector[0].parameters():
            nn.init.kaiming_normal_(weight, mode="fan_out")

    def forward(
        self,
        student_feature: Tensor,
        teacher_feature: Tensor,
        teacher_logits: Tensor,
        teacher_classify: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        feature = built(self.connector, self)(student_feature)
        pooled, target = feature.mean((2, 3)), teacher_feature.detach().mean((2, 3))
        logits = teacher_classify(feature)
        return dict(
            loss_feature=self.alpha * F.mse_loss(pooled, target),
            loss_logits=self.beta * F.mse_loss(logits, teacher_logits.detach()),
        )
