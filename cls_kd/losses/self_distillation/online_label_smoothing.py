"""OLS: online label smoothing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.modules.class_predictions import ClassPredictions
from cls_kd.signals.shapes import SignalShapes


class OnlineLabelSmoothingLoss(DistillLoss):
    r"""Match the mean prediction that the last epoch gave for correctly classified samples.

    Paper: Zhang et al. 2021, arXiv:2011.12562

    .. math:: L = - \frac1N \sum_n \sum_c M_{y_n c} \log p_{nc}

    with M the soft label of each class: the mean softmax, over the epoch before, of the samples of
    this class whose largest class was the label. A class without any, and every class in the first
    epoch, has the uniform distribution. What M is made of is a buffer, the same on all ranks: a
    checkpoint resumes it exactly.

    [0] C.-B. Zhang, P.-T. Jiang, Q. Hou, Y. Wei, Q. Han, Z. Li, M.-M. Cheng, "Delving Deep into
        Label Smoothing", IEEE Transactions on Image Processing 2021, arXiv:2011.12562.
    [1] zhangchbin/OnlineLabelSmoothing@7eaf70c:cifar/scripts/train_cifar_all_methods.py.
        Differences: there M is zero in the first epoch, so that half of the loss is missing, and
        the sums are those of one process.

    Shapes:
        student_logits: (N, K).
        labels: (N,).

    Weight:
        0.5 on CIFAR-100, beside cross-entropy of weight 0.5.
    """

    def __init__(self) -> None:
        super().__init__()
        self.predictions: ClassPredictions | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.predictions = ClassPredictions(shapes.num_classes)

    def forward(self, student_logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        predictions: ClassPredictions = built(self.predictions, self)
        if self.training:
            predictions.begin(epoch)
            predictions.add(student_logits, labels)
        targets = predictions.soft_labels[labels].to(student_logits.dtype)
        return -(targets * F.log_softmax(student_logits, dim=1)).sum(1).mean()
