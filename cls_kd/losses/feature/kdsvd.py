"""KDSVD: singular vectors of feature maps and their relation between stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import right_singular_vectors
from cls_kd.losses.aligned_stages import AlignedStages
from cls_kd.losses.options import check_positive
from cls_kd.losses.stages import StagePairs

_CANDIDATES = 3
_WIDTH = 8.0


class KDSVDLoss(AlignedStages):
    r"""Match how the leading singular vectors of one stage relate to those of the next.

    Paper: Lee et al. 2018, ECCV 2018

    .. math:: L = \frac{1}{N} \sum_{n, j} \| D^s_{nj} - D^t_{nj} \|^2, \quad
              D_{j}[a, b, i] = \exp \left( - (\hat v_{j+1, i}[a] - \hat v_{j, i}[b])^2 / 8 \right)

    summed over consecutive stages. v_ji is the i-th of k right singular vectors of the map as a
    matrix (h w, C). Of the student's first k + 3, each vector of the teacher takes the one of
    largest absolute cosine, with its sign. Both are scaled by the teacher's singular values, which
    are normalized to unit length.

    Ours: the sign of a teacher's vector, which a decomposition leaves open, is that of the sum of
    its entries; the gradient is bounded where singular values coincide; where the widths of student
    and teacher differ, which [1] refuses, a 1x1 convolution and batch normalization take the
    student's maps to the teacher's. On a GPU the decomposition waits for the device.

    [0] S. H. Lee, D. H. Kim, B. C. Song, "Self-supervised Knowledge Distillation Using Singular
        Value Decomposition", ECCV 2018.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/KDSVD.py: values and gradients agree for k = 1
        and maps that are not negative. For other maps its value depends on the signs that the
        decomposition returns. megvii-research/mdistiller@a08d46f decomposes matrices (C h, w),
        whose right vectors are of columns of the image and not of channels: a fault, not copied.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w), at least two.

    Args:
        k: k, how many singular vectors. Default: CIFAR-100.
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.
    """

    min_stages = 2

    host_bound = "its decomposition reads an error code"

    def __init__(self, *, k: int = 1, stages: StagePairs = None) -> None:
        super().__init__(stages=stages)
        check_positive(self, k=k)
        self.k = k

    def compare(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        vectors = [self._vectors(*maps) for maps in zip(student, teacher, strict=True)]
        losses = [
            _mismatch(_relation(ours, ours_next), _relation(theirs, theirs_next))
            for (ours, theirs), (ours_next, theirs_next) in pairwise(vectors)
        ]
        return torch.stack(losses).sum()

    @staticmethod
    def matrices(maps: Tensor) -> Tensor:
        """Maps (N, C, h, w) as the matrices (N, h * w, C) that are decomposed."""
        return maps.flatten(2).mT

    def _vectors(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled vectors of both networks, (N, C, k)."""
        values, target = right_singular_vectors(self.matrices(teacher), self.k)
        _, vectors = right_singular_vectors(self.matrices(student), self.k + _CANDIDATES)
        scale = F.normalize(values, dim=1).unsqueeze(1)
        return _aligned(vectors, target) * scale, target * scale


def _aligned(vectors: Tensor, target: Tensor) -> Tensor:
    """For each of ``target`` (N, C, k) the nearest of ``vectors`` (N, C, m), with its sign."""
    cosines = vectors.mT @ target
    nearest = cosines.abs().argmax(1, keepdim=True)  # (N, 1, k)
    chosen = vectors.gather(2, nearest.expand(-1, vectors.shape[1], -1))
    return chosen * cosines.gather(1, nearest).sign()


def _relation(vectors: Tensor, vectors_next: Tensor) -> Tensor:
    """(N, C_next, C, k)."""
    return torch.exp(-(vectors_next.unsqueeze(2) - vectors.unsqueeze(1)).square() / _WIDTH)


def _mismatch(student: Tensor, teacher: Tensor) -> Tensor:
    return (student - teacher).square().sum() / len(student)
