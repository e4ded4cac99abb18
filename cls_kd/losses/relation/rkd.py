"""RKD: distances and angles between embeddings."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import pairwise_distances, triplet_cosines
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative
from cls_kd.losses.search import Range, search_over


class RKDLoss(DistillLoss):
    r"""Match pairwise distances and triplet angles of the embeddings in a mini-batch.

    Paper: Park et al. 2019, arXiv:1904.05068

    .. math:: L = w_d \, \mathrm{mean}_{ij} \, h(d^s_{ij} / \bar d^s - d^t_{ij} / \bar d^t)
                + w_a \, \mathrm{mean}_{ijk} \, h(\cos^s_{ijk} - \cos^t_{ijk})

    with d the distances of pairs, the bar their mean over different samples, cos_ijk the cosine of
    the angle at i, and h the Huber function with threshold 1; means include the diagonals.

    [0] W. Park, D. Kim, Y. Lu, M. Cho, "Relational Knowledge Distillation", CVPR 2019,
        arXiv:1904.05068.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/RKD.py. Differences: distances are
        taken of differences, not of a Gram matrix; samples that coincide have gradient 0.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ. Memory grows with N^3 and N^2 D.

    Args:
        distance_weight: w_d. Default: the usual 25 of CIFAR-100.
        angle_weight: w_a. Default: the usual 50 of CIFAR-100.
    """

    search_space = search_over(
        distance_weight=Range(1.0, 100.0, log=True), angle_weight=Range(1.0, 200.0, log=True)
    )

    def __init__(self, *, distance_weight: float = 25.0, angle_weight: float = 50.0) -> None:
        super().__init__()
        check_not_negative(self, distance_weight=distance_weight, angle_weight=angle_weight)
        self.distance_weight, self.angle_weight = distance_weight, angle_weight

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        student, teacher = student_embedding, teacher_embedding.detach()
        distance = F.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))
        angle = F.smooth_l1_loss(triplet_cosines(student), triplet_cosines(teacher))
        return self.distance_weight * distance + self.angle_weight * angle


def _relative_distances(points: Tensor) -> Tensor:
    distances = pairwise_distances(points)
    pairs = max(len(points) * (len(points) - 1), 1)
    mean = distances.sum() / pairs
    return distances / mean.clamp_min(1e-12)  # a batch of one has mean 0
