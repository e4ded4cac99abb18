"""ReviewKD: knowledge review, deeper stages of the student learn earlier ones of the teacher."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional import hierarchical_context_error
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.stages import StagePairs, paired_maps, paired_shapes
from cls_kd.modules.review import ReviewFusion
from cls_kd.signals.shapes import SignalShapes

_MAX_MID_CHANNELS = 512


class ReviewKDLoss(DistillLoss):
    r"""Regress each stage of the teacher from the student's fused with all deeper ones.

    Paper: Chen et al. 2021, arXiv:2104.09044

    .. math:: L = \sum_{j=1}^{n+1} \mathrm{HCL}(p_j(u_j), f^t_j), \quad
              u_j = A_j\!\left(r_j(f^s_j), u_{j+1}\right), \quad u_{n+1} = r_{n+1}(e^s)

    over n stages, the student's activated and the teacher's before their last ReLU, and the
    embeddings as maps of one position. r and p are convolutions with batch normalization, A sums
    its arguments with learned weights for each position (see `ReviewFusion`). HCL is the distance
    of `HCLLoss`.

    [0] P. Chen, S. Liu, H. Zhao, J. Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021,
        arXiv:2104.09044.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/ReviewKD.py: values, gradients and
        a training of 12 steps agree. Differences: sizes are measured; stages as of `ATLoss`; for
        ImageNet, [1] takes the student's maps before their last ReLU, too.

    Shapes:
        student_stages, teacher_preacts: tuples of (N, C, h, w).
        student_embedding, teacher_embedding: (N, D).

    Args:
        mid_channels: Width in which maps are fused. Default: the student's embedding, at most 512.
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first; in the order of the networks. Default: all.

    Weight:
        CIFAR-100: 5 for WRN and ResNet8x4, 8 for ShuffleNetV2, 0.6 for ResNet56 to ResNet20, 1 for
        ResNet110 to ResNet32, after a warm-up of 20 epochs; ImageNet: 1 for ResNet18, 8 for
        MobileNetV1, after one epoch.
    """

    def __init__(self, *, mid_channels: int | None = None, stages: StagePairs = None) -> None:
        super().__init__()
        if mid_channels is not None:
            check_positive(self, mid_channels=mid_channels)
        self.mid_channels = mid_channels
        self.stages = stages
        self.fusions: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        signals = ("student_stages", "teacher_preacts")
        pairs = [
            (student[0], teacher)
            for student, teacher in paired_shapes(self, self.stages, shapes, signals)
        ]
        embedding, target = shapes.tensor("student_embedding"), shapes.tensor("teacher_embedding")
        deepest = (embedding[0], (*target, 1, 1))
        mid_channels = self.mid_channels or min(_MAX_MID_CHANNELS, embedding[0])
        self.fusions = nn.ModuleList(
            ReviewFusion(width, mid_channels, shape, fuses=depth > 0)
            for depth, (width, shape) in enumerate([deepest, *reversed(pairs)])
        )

    def forward(
        self,
        student_stages: tuple[Tensor, ...],
        student_embedding: Tensor,
        teacher_preacts: tuple[Tensor, ...],
        teacher_embedding: Tensor,
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_stages, teacher_preacts)
        pairs.append((_as_map(student_embedding), _as_map(teacher_embedding.detach())))
        losses, deeper = [], None
        for fuse, (student, teacher) in zip(
            built(self.fusions, self), reversed(pairs), strict=True
        ):
            predicted, deeper = fuse(student, deeper)
            losses.append(hierarchical_context_error(predicted, teacher))
        return torch.stack(losses).sum()


def _as_map(embedding: Tensor) -> Tensor:
    return embedding[:, :, None, None]
