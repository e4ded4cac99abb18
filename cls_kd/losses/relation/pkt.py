"""PKT: probabilistic knowledge transfer."""

from __future__ import annotations

from torch import Tensor

from cls_kd.losses.base import DistillLoss

_EPS = 1e-7


class PKTLoss(DistillLoss):
    r"""Match the conditional probabilities of neighbors, from cosine similarities of embeddings.

    Paper: Passalis and Tefas 2018, arXiv:1803.10837

    .. math:: L = \frac{1}{N^2} \sum_{ij} t_{ij} \log \frac{t_{ij} + \epsilon}{s_{ij} + \epsilon},
              \quad p_{ij} = \frac{k_{ij}}{\sum_j k_{ij}}, \quad
              k_{ij} = \tfrac12 (1 + \cos(e_i, e_j))

    with s and t the probabilities p of the student and the teacher and epsilon 1e-7.

    [0] N. Passalis, A. Tefas, "Learning Deep Representations with Probabilistic Knowledge
        Transfer", ECCV 2018, arXiv:1803.10837.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/PKT.py. No difference; a sample is
        a neighbor of itself, and the mean is over all pairs.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Weight:
        30000 on CIFAR-100.
    """

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        student = _neighbor_probabilities(student_embedding)
        teacher = _neighbor_probabilities(teacher_embedding.detach())
        return (teacher * ((teacher + _EPS) / (student + _EPS)).log()).mean()


def _neighbor_probabilities(embedding: Tensor) -> Tensor:
    unit = embedding / (embedding.norm(dim=1, keepdim=True) + _EPS)
    kernel = (unit @ unit.t() + 1) / 2
    return kernel / kernel.sum(1, keepdim=True)
