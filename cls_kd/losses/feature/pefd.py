"""PEFD: feature distillation with an ensemble of projectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import IntegerRange, search_over
from cls_kd.signals.shapes import SignalShapes


class PEFDLoss(DistillLoss):
    r"""Match the direction of the teacher's embedding by the mean of several projections.

    Paper: Chen et al. 2022, arXiv:2210.15274

    .. math:: L = 1 - \cos\!\Big(\frac{1}{P} \sum_{p=1}^{P} \mathrm{ReLU}(W_p e^s + b_p),
                  \; e^t\Big)

    mean over the batch. The P linear layers differ by their random initialization alone.

    [0] Y. Chen, S. Wang, J. Liu, X. Xu, F. de Hoog, Z. Huang, "Improved Feature Distillation via
        Projector Ensemble", NeurIPS 2022, arXiv:2210.15274.
    [1] chenyd7/PEFD@7f1e2de:helper/loops.py and models/util.py. Difference: the product of the
        norms is at least 1e-8; there, projections that are all negative divide by zero.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        projectors: P. Default: CIFAR-100 and ImageNet.

    Weight:
        25 on CIFAR-100 and ImageNet.
    """

    search_space = search_over(projectors=IntegerRange(1, 5))

    def __init__(self, *, projectors: int = 3) -> None:
        super().__init__()
        check_positive(self, projectors=projectors)
        self.count = projectors
        self.projectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_embedding"), shapes.tensor("teacher_embedding")
        self.projectors = nn.ModuleList(
            nn.Linear(student[0], teacher[0]) for _ in range(self.count)
        )

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        projections = [
            F.relu(project(student_embedding)) for project in built(self.projectors, self)
        ]
        ensemble = torch.stack(projections).mean(0)
        return (1 - F.cosine_similarity(ensemble, teacher_embedding.detach(), dim=1)).mean()
