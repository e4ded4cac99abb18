"""CA-MKD's feature term: each teacher's last map, weighted by what it makes of the student's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import confidence_weights
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_several_teachers
from cls_kd.modules.connectors import ConvConnector
from cls_kd.signals.shapes import SignalShapes


class ConfidenceTeachersFeatureLoss(DistillLoss):
    r"""Regress several teachers' last feature maps, weighted by their classifiers' confidence.

    Paper: Zhang et al. 2022, arXiv:2201.00007

    .. math:: L = \frac{1}{N P} \sum_{n,t} w_{tn} \, \mathrm{mean}\,(r_t(f^s_n) - f^t_n)^2, \quad
              w_{tn} = \frac{1 - \mathrm{softmax}_t(H_{tn})}{P - 1}

    with r a 1x1 convolution, batch normalization and ReLU for each teacher, on the student's map
    that was pooled, or enlarged bilinearly, to the teacher's size, and H the cross-entropy of
    teacher t's classifier on r(f), with the label. Gradients flow through the weights as well. It
    is the second term of CA-MKD; the first is `ConfidenceTeachersLoss`.

    [0] H. Zhang, D. Chen, C. Wang, "Confidence-Aware Multi-Teacher Knowledge Distillation", ICASSP
        2022, arXiv:2201.00007.
    [1] Rorozhl/CA-MKD@c2f39a9:distiller_zoo/CAMKD.py. Difference: each teacher's map is met by the
        student's own, which there is already pooled for the teachers before.

    Shapes:
        student_feature: (N, C, h, w).
        all_teacher_features: tuple of (N, C, h, w), of two teachers or more.
        all_teacher_classify: tuple of (N, C, h, w) -> (N, K).
        labels: (N,).

    Weight:
        50 on CIFAR-100, 0 in the first epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        teachers = shapes.tensors("all_teacher_features")
        check_several_teachers(self, len(teachers))
        channels = shapes.tensor("student_feature")[0]
        self.connectors = nn.ModuleList(ConvConnector(channels, shape[0]) for shape in teachers)

    def forward(
        self,
        student_feature: Tensor,
        all_teacher_features: tuple[Tensor, ...],
        all_teacher_classify: tuple[Callable[[Tensor], Tensor], ...],
        labels: Tensor,
    ) -> Tensor:
        connectors = built(self.connectors, self)
        student_maps = [
            connect(_resized(student_feature, (feature.shape[2], feature.shape[3])))
            for connect, feature in zip(connectors, all_teacher_features, strict=True)
        ]
        pairs = zip(all_teacher_classify, student_maps, strict=True)
        logits = torch.stack([classify(feature) for classify, feature in pairs])
        return self.compare(student_maps, all_teacher_features, logits, labels)

    @staticmethod
    def compare(
        student_maps: Sequence[Tensor],
        teacher_maps: Sequence[Tensor],
        logits: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """The loss of maps that are connected already.

        Args:
            student_maps: The student's map in each teacher's shape.
            teacher_maps: The teachers'.
            logits: (P, N, K), of each teacher's classifier on ``student_maps``.
            labels: (N,).
        """
        errors = [
            (student - teacher.detach()).square().flatten(1).mean(1)
            for student, teacher in zip(student_maps, teacher_maps, strict=True)
        ]
        return (confidence_weights(logits, labels) * torch.stack(errors)).mean()


def _resized(feature: Tensor, size: tuple[int, int]) -> Tensor:
    if feature.shape[2] >= size[0]:
        return F.adaptive_avg_pool2d(feature, size)
    return F.interpolate(feature, size, mode="bilinear", align_corners=False)
