"""KD++: regularization of the norm and the direction of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_below_one
from cls_kd.modules.class_means import ClassMeans
from cls_kd.signals.shapes import SignalShapes

_EPS = 1e-12


class DirectNormLoss(DistillLoss):
    r"""Align embeddings with the teacher's class means, with norms as large as the teacher's.

    Paper: Wang et al. 2023, arXiv:2305.17007

    .. math:: L = 1 - \frac{\langle r(e^s), \, c_y / \|c_y\| \rangle}
                          {\max(\|r(e^s)\|, \|e^t\|)}

    mean over the batch; c_y is the mean of the teacher's embeddings of the label's class. r is
    batch normalization, dropout and a linear layer where the widths differ, else nothing.

    [0] Y. Wang, L. Cheng, M. Duan, Y. Wang, Z. Feng, S. Kong, "Improving Knowledge Distillation via
        Regularizing Feature Norm and Direction", 2023, arXiv:2305.17007.
    [1] WangYZ1608/Knowledge-Distillation-via-ND@fc6f3f9:CIFAR/utils.py and
        Models/embtrans_cifar.py. Difference, ours: there, c is computed before training, by one
        pass over augmented training images, and rounded to four decimals. Here it is the running
        mean of all embeddings of the teacher so far, of all processes, this batch included: after
        the first epoch it is such a mean, too. It needs no pass of its own, and is a part of the
        checkpoint.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.
        labels: (N,), hard.

    Args:
        dropout: Fraction of entries that r drops. Default: CIFAR-100.

    Weight:
        2 for ResNet56 to ResNet20 on CIFAR-100, 1 for ResNet34 to ResNet18 on ImageNet.
    """

    def __init__(self, *, dropout: float = 0.5) -> None:
        super().__init__()
        check_below_one(self, dropout=dropout)
        self.dropout = dropout
        self.connector: nn.Module | None = None
        self.centers: ClassMeans | None = None

    def build(self, shapes: SignalShapes) -> None:
        (student,) = shapes.tensor("student_embedding")
        (teacher,) = shapes.tensor("teacher_embedding")
        self.connector = nn.Identity()
        if student != teacher:
            linear = nn.Linear(student, teacher)
            nn.init.zeros_(linear.bias)
            self.connector = nn.Sequential(
                nn.BatchNorm1d(student), nn.Dropout(self.dropout), linear
            )
        self.centers = ClassMeans(shapes.num_classes, teacher)

    def forward(
        self, student_embedding: Tensor, teacher_embedding: Tensor, labels: Tensor
    ) -> Tensor:
        teacher = teacher_embedding.detach()
        centers: ClassMeans = built(self.centers, self)
        if self.training:
            centers.update(teacher, labels)
        student = built(self.connector, self)(student_embedding)
        direction = F.normalize(centers.means[labels], dim=1)
        norm = torch.maximum(student.norm(dim=1), teacher.norm(dim=1)).clamp_min(_EPS)
        return (1 - (student * direction).sum(1) / norm).mean()
