"""Manifold distillation: relations between patches, within and across images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import patch_tokens
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive, stage_shape
from cls_kd.losses.stages import StagePairs, pair_stages
from cls_kd.losses.tokens import check_same_grid
from cls_kd.signals.shapes import SignalShapes

Blocks = tuple[Tensor, ...]


class ManifoldLoss(DistillLoss):
    r"""Match the cosine similarities between patches: in an image, across images, and at random.

    Paper: Hao et al. 2022, arXiv:2107.01378

    .. math:: L = \frac{1}{B} \sum_{b=1}^{B} w_p \, d(x_{n:}) + w_s \, d(x_{:l})
                  + w_r \, d(x_{R}), \qquad
              d(x) = \mathrm{mean}\,(\hat x^s \hat x^{s\top} - \hat x^t \hat x^{t\top})^2

    over B pairs of blocks, with patch tokens of unit length: w_p between the patches of an image,
    (L, L) for each of N images; w_s between the images at a patch, (N, N) for each of L patches;
    w_r between k patches drawn from the whole batch, by PyTorch's generator.

    [0] Z. Hao, J. Guo, D. Jia, K. Han, Y. Tang, C. Zhang, H. Hu, Y. Wang, "Learning Efficient
        Vision Transformers via Fine-Grained Manifold Distillation", NeurIPS 2022, arXiv:2107.01378.
    [1] Hao840/manifold-distillation@1096b82:losses.py. Difference: class tokens are left out of
        both networks; there, the student's that the teacher lacks. The merging of patches of other
        grids is left out: a different grid is an error.

    Shapes:
        student_blocks, teacher_blocks: tuples of (N, L, D), D may differ.

    Args:
        blocks: Pairs of blocks (student, teacher), or indices of both; counted from 0, negative
            from the last. None: all, of as many. Default: CaiT-S24 to DeiT-Tiny, the first and the
            last four.
        w_sample: w_s. Default: ImageNet.
        w_patch: w_p. Default: ImageNet.
        w_rand: w_r. Default: ImageNet.
        k: Number of patches in the random term. Default: ImageNet.

    Weight:
        1 on ImageNet.
    """

    stateless = True  # build only checks

    def __init__(
        self,
        *,
        blocks: StagePairs = (0, 1, 2, 3, -4, -3, -2, -1),
        w_sample: float = 0.1,
        w_patch: float = 4.0,
        w_rand: float = 0.2,
        k: int = 192,
    ) -> None:
        super().__init__()
        check_not_negative(self, w_sample=w_sample, w_patch=w_patch, w_rand=w_rand)
        check_positive(self, k=k)
        self.blocks = blocks
        self.w_sample = w_sample
        self.w_patch = w_patch
        self.w_rand = w_rand
        self.k = k

    @property
    def stage_indices(self) -> dict[str, tuple[int, ...]]:
        """The chosen blocks of each network."""
        if self.blocks is None:
            return {}
        student, teacher = zip(*pair_stages(self, self.blocks, 0, 0), strict=True)
        return {"student_blocks": student, "teacher_blocks": teacher}

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensors("student_blocks"), shapes.tensors("teacher_blocks")
        for ours, theirs in pair_stages(self, self.blocks, len(student), len(teacher)):
            check_same_grid(
                self,
                stage_shape(self, "student", student, ours, "block"),
                stage_shape(self, "teacher", teacher, theirs, "block"),
            )

    def forward(self, student_blocks: Blocks, teacher_blocks: Blocks) -> dict[str, Tensor]:
        pairs = pair_stages(self, self.blocks, len(student_blocks), len(teacher_blocks))
        terms = [
            self._terms(_unit(student_blocks[ours]), _unit(teacher_blocks[theirs].detach()))
            for ours, theirs in pairs
        ]
        sample, patch, rand = torch.stack([torch.stack(term) for term in terms]).mean(0)
        return dict(
            loss_sample=self.w_sample * sample,
            loss_patch=self.w_patch * patch,
            loss_rand=self.w_rand * rand,
        )

    def _terms(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Across images, in an image, and between patches drawn from the batch."""
        count = student.shape[0] * student.shape[1]
        drawn = torch.rand(count, device=student.device).argsort()[: self.k]
        return (
            _distance(student.transpose(0, 1), teacher.transpose(0, 1)),
            _distance(student, teacher),
            _distance(student.flatten(0, 1)[drawn], teacher.flatten(0, 1)[drawn]),
        )


def _unit(tokens: Tensor) -> Tensor:
    return F.normalize(patch_tokens(tokens), dim=2)


def _distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the matrices of inner products of the rows."""
    return F.mse_loss(student @ student.transpose(-1, -2), teacher @ teacher.transpose(-1, -2))
